"""Takes the pictures of `simulator.md` anew: `python docs/simulator_screenshots.py`."""

from decimal import Decimal
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from spayon_flask.simulator import PaymentSession, Simulator
from spayon_flask.simulator.creation import Creation
from spayon_flask.simulator.transport import Answer, Transport

IMAGES = Path(__file__).parent / "images"
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SHOP = "http://127.0.0.1:5000/pay"

GOODS = [("Ararat coffee, 250 g", "4500"), ("Jazzve, copper", "18900"), ("Cup", "7200.50")]


def main() -> None:
    """Take all of them."""
    with Simulator(seed=1, transport=shop()) as sim, sync_playwright() as playwright:
        sessions = [create(sim, number) for number in range(5)]
        sessions.append(create(sim, 5, language="hy"))
        told = sessions[3]
        sim.pay(sessions[0].id)
        sim.decline(sessions[1].id, "1A")
        sim.attempt(told.id, sim.card("05"))
        sim.pay(told.id)
        sim.settle()
        sim.clock.step(300)
        sim.deliver(told.id, damaged=True)
        sim.deliver(told.id, times=10, concurrently=True)
        sim.deliver(told.id, price="1")
        sim.attempt(sessions[5].id, sim.card("51"))

        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)
        inspector = f"{sim.url}/_simulator"
        take(browser, f"{inspector}/", "sessions", 960)
        take(browser, f"{inspector}/sessions/{told.id}", "session", 960)
        take(browser, f"{inspector}/deliveries", "callbacks", 960)
        take(browser, f"{inspector}/deliveries/3", "callback", 960)
        take(browser, f"{inspector}/faults?kind=error", "faults", 960)
        take(browser, f"{sim.url}/pay/{sessions[4].id}", "payment", 960)
        browser.close()


def shop() -> Transport:
    """Return a shop that stumbles once and notices a forgery."""
    codes = iter([200, 200, 500, 200, 401])
    return lambda *_: Answer(next(codes, 200))


def create(sim: Simulator, number: int, language: str = "en") -> PaymentSession:
    """Create a payment session as a shop would."""
    name, price = GOODS[number % len(GOODS)]
    return sim.create(
        Creation(
            name,
            Decimal(price),
            "AMD",
            order_id=f"A-{1041 + number}",
            callback_url=f"{SHOP}/callback",
            return_url=f"{SHOP}/return",
            cancel_url=f"{SHOP}/cancel/x7Kq",
            language=language,
        )
    )


def take(browser: Browser, url: str, name: str, width: int) -> None:
    """Take the picture *name* of the page at *url*."""
    context = browser.new_context(viewport={"width": width, "height": 500})
    page = context.new_page()
    page.goto(url)
    page.screenshot(path=IMAGES / f"simulator-{name}.png", full_page=True)
    context.close()


if __name__ == "__main__":
    main()
