"""A Flask app in one line: gunicorn --bind :$PORT app:app."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "hello\n"
