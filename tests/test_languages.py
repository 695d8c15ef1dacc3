import json
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from markupsafe import escape

import spayon_flask
from spayon_flask.domain.languages import NAMES, Language, choose_language
from tests.catalogues import CODES, Key, folder, key_of, messages_in_use, read, texts_of

PACKAGE = Path(spayon_flask.__file__).parent
AFTERNOON = datetime(2026, 11, 5, 10, 35, tzinfo=timezone.utc)

VARIABLE = re.compile(r"%\(\w+\)[sd]")


def messages(catalogue: Catalog) -> dict[Key, Message]:
    return {key_of(message): message for message in catalogue if message.id}


@pytest.fixture(params=CODES)
def code(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestCatalogues:
    def test_every_message_in_use_is_in_every_catalogue(self, code: str) -> None:
        known = messages(read(code))

        assert [message for message in messages_in_use() if message not in known] == []

    def test_no_catalogue_holds_a_message_that_nothing_uses(self, code: str) -> None:
        used = messages_in_use()

        assert [key for key in messages(read(code)) if key not in used] == []

    def test_every_message_has_a_text(self, code: str) -> None:
        found = messages(read(code))

        assert [key for key, message in found.items() if not all(texts_of(message))] == []

    def test_no_text_is_marked_as_doubtful_or_obsolete(self, code: str) -> None:
        catalogue = read(code)

        assert [key for key, message in messages(catalogue).items() if message.fuzzy] == []
        assert catalogue.obsolete == {}

    def test_a_text_has_the_variables_of_its_message(self, code: str) -> None:
        for key, message in messages(read(code)).items():
            source = key if isinstance(key, str) else key[-1]
            variables = set(VARIABLE.findall(source))

            assert all(set(VARIABLE.findall(text)) == variables for text in texts_of(message))

    def test_the_compiled_catalogue_is_made_from_the_one_that_people_edit(self, code: str) -> None:
        written = messages(read(code))

        with (folder(code) / "spayon.mo").open("rb") as file:
            compiled = messages(read_mo(file))

        assert {key: texts_of(message) for key, message in compiled.items()} == {
            key: texts_of(message) for key, message in written.items()
        }, "run: make catalogues"

    def test_no_text_is_left_in_english(self, code: str) -> None:
        for message in messages(read(code)).values():
            letters = [re.sub(r"%\(\w+\)s|\W", "", text) for text in texts_of(message)]
            assert not any(each and each.isascii() for each in letters)


#: Ways to say a thing that have another way here: each thing is said in one way everywhere.
OTHER_WAYS = {
    "en": ["time is over", "time to pay is over", "eing looked at", "See what"],
    "ru": [
        *("время вышло", "на оплату вышло", "Время оплаты", "Время для оплаты", "Возврат "),
        *("не видит данные", "больше ничего не нужно", "возьмите"),
        *("содержанию", "Неверный номер", "Платёж не прошёл", "Оплата получена", "Увидеть"),
    ],
    "hy": [
        *("\u2024", "Տեսնել", "Վերադարձը", "չի ստացվել", "չհաջողվեց", "լրացել", "Ժամկետն անցել"),
        *("ժամանակը սպառվել", "ժամանակն ավարտվել", "րոպեից էլ", "Անցնել վճարման։", "բացված է, "),
        *("անցեք այնտեղի", "com։", "զամբյուղը՝", "տեսուչ", "Վերահաշվել"),
    ],
}


def every_text(code: str) -> list[str]:
    """List what the pages, the hosted page of the simulator and the demo store say in *code*."""
    # English is what the messages themselves say.
    english = [(each,) if isinstance(each, str) else each for each in messages_in_use()]
    rows = english if code == "en" else map(texts_of, messages(read(code)).values())
    hosted = json.loads((PACKAGE / f"simulator/words/{code}.json").read_text(encoding="utf-8"))
    store = json.loads((PACKAGE.parent / "templates/demo/texts.json").read_text(encoding="utf-8"))

    return [*chain.from_iterable(rows), *hosted.values(), *store[code].values()]


class TestWords:
    @pytest.mark.parametrize("code", NAMES)
    def test_a_thing_is_said_in_one_way_everywhere(self, code: str) -> None:
        texts = every_text(code)

        assert [(way, text) for way in OTHER_WAYS[code] for text in texts if way in text] == []

    @pytest.mark.parametrize(
        ("code", "words", "times"),
        [
            ("en", "time to pay has run out", 4),
            ("ru", "Время на оплату истекло", 5),
            ("hy", "Վճարման ժամանակն սպառվել է", 5),
            ("hy", "Վճարումը չի կատարվել", 4),
            ("hy", "Դիտել", 2),
        ],
    )
    def test_and_that_way_is_in_use(self, code: str, words: str, times: int) -> None:
        assert sum(words in text for text in every_text(code)) >= times


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (["fr", None, "ru", "hy"], "ru"),
        (["hy_AM"], "hy"),
        (["RU-ru"], "ru"),
        *(([nonsense], "en") for nonsense in ("<script>", "\x00", "hy" * 5000, "*", "../../etc")),
        (["de", None, ""], "en"),
    ],
)
def test_the_first_language_that_we_speak_is_taken_and_else_english(
    wanted: list[str | None], code: str
) -> None:
    assert choose_language(*wanted).code == code


class TestTexts:
    def test_variables_are_put_into_the_translation(self) -> None:
        text = Language("ru").gettext("You come back to %(shop)s and see the result.", shop="Арпи")

        assert text == "Затем вы вернётесь в магазин «Арпи» и увидите результат."

    def test_percent_signs_and_markup_in_a_variable_are_left_for_the_template(self) -> None:
        message = "You come back to %(shop)s and see the result."
        text = Language("en").gettext(message, shop="<b>50 % off")

        assert "&lt;b&gt;50 % off" in escape(text)

    @pytest.mark.parametrize(
        ("code", "n", "words"),
        [
            ("ru", 0, "осталось меньше минуты"),
            ("ru", 1, "ещё 1 минуту"),
            ("ru", 3, "ещё 3 минуты"),
            ("ru", 12, "ещё 12 минут"),
            ("en", 1, "in 1 minute"),
            ("en", 12, "in 12 minutes"),
        ],
    )
    def test_minutes_are_counted_in_three_forms_in_russian_and_in_two_in_english(
        self, code: str, n: int, words: str
    ) -> None:
        assert Language(code).minutes(n) == words


class TestTimes:
    @pytest.mark.parametrize("offset", [0, -8])
    def test_a_time_in_the_payers_zone_needs_no_label_and_one_in_utc_says_so(
        self, offset: int
    ) -> None:
        moment = AFTERNOON.astimezone(timezone(timedelta(hours=offset)))

        assert Language("en").time(moment) == "10:35 UTC"
        assert Language("en").in_zone(ZoneInfo("Asia/Yerevan")).time(moment) == "14:35"

    def test_a_date_is_the_day_in_the_payers_zone(self) -> None:
        evening = datetime(2026, 11, 5, 22, 0, tzinfo=timezone.utc)

        assert Language("en", ZoneInfo("Asia/Yerevan")).date(evening) == "6\u00a0November\u00a02026"

    @pytest.mark.parametrize(
        ("code", "date"),
        [("en", "5 November 2026"), ("ru", "5 ноября 2026 г."), ("hy", "5 նոյեմբերի, 2026 թ.")],
    )
    def test_the_month_is_a_word(self, code: str, date: str) -> None:
        assert Language(code).date(AFTERNOON).replace("\u00a0", " ") == date


class TestPrices:
    @pytest.mark.parametrize(
        ("code", "price", "currency", "text"),
        [
            ("en", "12500", "AMD", "12,500 AMD"),
            ("ru", "12500", "AMD", "12 500 AMD"),
            ("hy", "12500", "AMD", "12 500 AMD"),
            ("hy", "12500.5", "amd", "12 500,50 AMD"),
            ("en", "10", "USD", "$10.00"),
            ("ru", "1234567.5", "RUB", "1 234 567,50 ₽"),
            ("hy", "9.99", "EUR", "9,99 €"),
            ("en", "0.005", "KWD", "0.005 KWD"),
            ("en", "1E+3", "AMD", "1,000 AMD"),
            ("en", "5000.0000", "AMD", "5,000 AMD"),
            ("en", "99999999999999.9", "USD", "$99,999,999,999,999.90"),
        ],
    )
    def test_a_price_is_written_as_in_a_shop_and_exactly(
        self, code: str, price: str, currency: str, text: str
    ) -> None:
        assert Language(code).price(Decimal(price), currency).replace("\u00a0", " ") == text


class TestDeclines:
    def test_a_known_code_is_explained_in_the_payers_language(self) -> None:
        decline = {"responseCode": "14", "responseReasonEn": "Invalid card", "transactionId": 7}

        assert Language("ru").decline(decline).startswith("Неверно указан номер карты")

    @pytest.mark.parametrize("known", ["05", "14", "1A", " 1a "])
    def test_every_documented_code_has_words_of_its_own(self, known: str) -> None:
        decline = {"responseCode": known, "responseReasonEn": "Declined", "transactionId": 7}

        assert Language("en").decline(decline) != "Declined"

    @pytest.mark.parametrize(
        ("text", "english"),
        [
            ("Not sufficient funds", "not enough money"),
            ("INSUFFICIENT FUNDS", "not enough money"),
            ("Expired card", "The card has expired"),
            ("Card expired", "The card has expired"),
            ("Exceeds withdrawal amount limit", "above a limit"),
            ("Exceeds withdrawal frequency limit", "above a limit"),
            ("Daily limit exceeded", "above a limit"),
            ("Lost card, pick-up", "gave no reason"),
            ("Stolen card", "gave no reason"),
            ("Pick up card (no fraud)", "gave no reason"),
            ("Do not honor", "gave no reason"),
            ("Do not honour", "gave no reason"),
            ("Restricted card", "does not allow"),
            ("Transaction not permitted to cardholder", "does not allow"),
            ("Suspected fraud", "to protect the card"),
            ("Invalid card number (no such number)", "is not right"),
            ("No such card", "is not right"),
            ("Issuer or switch is inoperative", "cannot be reached"),
            ("Issuer unavailable", "cannot be reached"),
            ("Payment blocked by the gateway's risk rules", "security rules"),
        ],
    )
    def test_a_usual_phrase_is_known_by_its_text_in_every_language(
        self, text: str, english: str
    ) -> None:
        decline = {"responseCode": "XX", "responseReasonEn": text}

        assert english in Language("en").decline(decline)
        assert not set(text.split()) & set(Language("ru").decline(decline).split())
        assert not set(text.split()) & set(Language("hy").decline(decline).split())

    @pytest.mark.parametrize("text", ["Card lost3", "Asterisk", "Unlimited", "Bank of Yerevan"])
    def test_a_text_that_only_resembles_a_phrase_is_quoted(self, text: str) -> None:
        said = Language("ru").decline({"responseCode": "XX", "responseReasonEn": text})

        assert said.startswith("Платёж отклонён (код XX). Используйте другую карту")
        assert said.endswith(f"Причина, указанная Spayon: {text}")

    def test_an_unlisted_code_is_shown_by_the_text_that_came_with_it(self) -> None:
        decline = {
            "responseCode": "SP-07",
            "responseReasonEn": "Velocity 100%(x)s over",
            "transactionId": 7,
        }

        assert Language("hy").decline(decline).endswith("՝ Velocity 100%(x)s over")

    @pytest.mark.parametrize("text", [None, "", "  ", 5, ["a"], {}])
    def test_an_unlisted_code_without_a_text_is_a_plain_decline(self, text: object) -> None:
        decline = {"responseCode": "SP-07", "responseReasonEn": text}

        assert Language("en").decline(decline).startswith("The payment was declined")

    def test_a_text_without_an_end_is_cut(self) -> None:
        said = Language("en").decline({"responseReasonEn": "no " * 10_000})

        assert len(said.partition("Spayon’s reason: ")[2]) == 300

    def test_a_reason_that_came_twice_is_said_once(self) -> None:
        declines: list[dict[str, object]] = [
            {"responseCode": "14"},
            {"responseCode": "05"},
            {"responseCode": "14"},
        ]

        assert len(Language("en").declines(declines)) == 2
