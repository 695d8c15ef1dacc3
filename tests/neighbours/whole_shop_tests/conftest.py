import pytest
from whole_shop import Product, ShopOrder, User, create_app, db

from spayon_flask.testing import Payer

pytest_plugins = ["spayon_flask.testing"]


@pytest.fixture
def app(tmp_path):
    app = create_app(
        {
            "TESTING": True,
            "SECRET_KEY": "test",
            "WTF_CSRF_ENABLED": False,
            "RATELIMIT_STORAGE_URI": "memory://",
            "CELERY": {"task_always_eager": True, "task_store_eager_result": False},
            "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path / 'shop.db'}",
            "SPAYON_CLIENT_ID": "id",
            "SPAYON_CLIENT_SECRET": "secret",
            "SPAYON_CALLBACK_SECRET": "callback-secret",
            "SPAYON_PUBLIC_URL": "https://shop.example",
        }
    )

    with app.app_context():
        db.create_all()

    return app


@pytest.fixture
def order(app):
    with app.app_context():
        ani = User(id=1, email="ani@shop.example", name="Ani", password="-")
        tea = Product(id=1, title_en="Tea", title_ru="Чай", title_hy="Թեյ", price=1800, shelf="a")
        order = ShopOrder(id=1, code="tea-7Qz", user=ani, product=tea, total=1800, language="hy")
        db.session.add(order)
        db.session.commit()

    return "1"


@pytest.fixture
def ani(app, order):
    client = app.test_client()

    with client.session_transaction() as session:
        session["_user_id"] = "1"

    return client


@pytest.fixture
def payer(app, spayon_simulator, ani):
    return Payer(app, spayon_simulator, client=ani, key_of=lambda order: "tea-7Qz")
