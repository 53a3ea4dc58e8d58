"""A Flask app in one line: gunicorn app:app, which listens on $PORT."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "hello\n"
