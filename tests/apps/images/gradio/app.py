"""The first example of Gradio's own README, and one whose answer comes in pieces."""

import time

import gradio as gr


def greet(name, intensity):
    return "Hello, " + name + "!" * int(intensity)


def count(steps):
    for step in range(int(steps)):
        time.sleep(0.1)
        yield f"{step + 1} of {int(steps)}"


greeting = gr.Interface(fn=greet, inputs=["text", "slider"], outputs=["text"], api_name="predict")
counting = gr.Interface(fn=count, inputs=["number"], outputs=["text"], api_name="count")
gr.TabbedInterface([greeting, counting]).launch()
