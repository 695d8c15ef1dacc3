"""The worker of the whole shop: `celery -A whole_shop_worker worker`."""

from whole_shop import create_app

flask_app = create_app()
celery_app = flask_app.extensions["celery"]
