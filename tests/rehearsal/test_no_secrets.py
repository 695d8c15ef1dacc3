"""No secret of a shop, and nothing that Spayon tells of a payer, is in a report."""

import json

from spayon_flask.rehearsal.report import as_text
from spayon_flask.rehearsal.wire import Wire
from spayon_flask.simulator import Simulator
from tests.rehearsal.conftest import Staged, settings_for


def test_no_secret_is_in_the_report_or_told(stage: Staged) -> None:
    staged = stage(signature_header="X-Other")
    report = staged.rehearse(pay=True, wait=True)
    said = json.dumps(report) + as_text(report) + " ".join(staged.told)
    sim = staged.sim
    signatures = [
        sim.shape.sign(each["body"].encode(), sim.callback_secret) for each in report["callbacks"]
    ]
    secrets = [sim.client_id, sim.client_secret, sim.callback_secret, *signatures]

    assert len(signatures) == 2
    assert [secret for secret in secrets if secret in said] == []
    # The beginning of every JWT.
    assert "eyJ" not in said


def test_what_an_answer_repeats_of_what_was_sent_is_not_shown(sim: Simulator) -> None:
    wire = Wire(settings_for(sim.url, SPAYON_CLIENT_SECRET='hush "hush"'))

    assert wire.clean('you sent hush "hush"') == "you sent (hidden)"
    assert wire.clean(json.dumps({"you sent": 'hush "hush"'})) == '{"you sent": "(hidden)"}'


def test_what_spayon_tells_of_a_payer_is_not_shown(sim: Simulator) -> None:
    wire = Wire(settings_for(sim.url))
    body = b'{"cardNumber": "4111", "payer_email":"a@b.c", "maskedPan" : 41, "status": "paid"}'

    assert wire.clean_body(body) == (
        '{"cardNumber": "(hidden)", "payer_email":"(hidden)", "maskedPan" : "(hidden)", '
        '"status": "paid"}'
    )
