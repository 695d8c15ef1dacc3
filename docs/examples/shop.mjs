// A shop in Node, without a framework, for Spayon or its simulator:
//     node shop.mjs        and open http://127.0.0.1:3000/buy?order=A1
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const env = process.env;
const api = env.SPAYON_API_URL ?? "http://127.0.0.1:5001";
const secret = env.SPAYON_CALLBACK_SECRET ?? "simulator-callback-secret";
const credentials = {
  client_id: env.SPAYON_CLIENT_ID ?? "simulator-client",
  client_secret: env.SPAYON_CLIENT_SECRET ?? "simulator-secret",
};
const orders = new Map(); // A shop of yours has a table, with a unique key on the payment session.

async function post(path, body, token) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const signal = AbortSignal.timeout(10_000);
  const answer = await fetch(api + path, { method: "POST", headers, body: JSON.stringify(body), signal });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

async function buy(order, shop) {
  const { access_token } = await post("/api/tokens", credentials); // Good for an hour: keep it.
  const urls = { callback_url: `${shop}/callback`, return_url: `${shop}/order?order=${order}` };
  const product = { product_name: "Tea", price: 1000, currency: "amd", order_id: order };
  orders.set(order, { parcels: 0 });
  return (await post("/api/product/session", { ...product, ...urls }, access_token)).session_url;
}

function callback(body, signature) {
  const right = createHmac("sha256", secret).update(body).digest(); // Of the exact bytes.
  const given = Buffer.from(signature ?? "", "hex");
  if (given.length !== right.length || !timingSafeEqual(given, right)) return 401;
  const report = JSON.parse(body);
  const order = orders.get(report.orderId);
  const rightPrice = Number(report.price) === 1000 && report.currency === "AMD";
  if (report.status === "paid" && order && !order.parcels && rightPrice) order.parcels += 1;
  return 200; // Whatever it says: anything else makes Spayon deliver it again.
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, `http://${request.headers.host}`);
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    if (url.pathname === "/callback") {
      response.writeHead(callback(Buffer.concat(chunks), request.headers["x-signature"])).end();
    } else if (url.pathname === "/buy") {
      response.writeHead(303, { Location: await buy(url.searchParams.get("order"), url.origin) }).end();
    } else {
      response.end(JSON.stringify(orders.get(url.searchParams.get("order")) ?? null));
    }
  } catch (error) {
    console.error(error);
    response.writeHead(503).end("Try again in a moment.");
  }
});
server.listen(Number(env.PORT ?? 3000), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
