"""The page. Yours: Streamlit runs this file from top to bottom at each interaction."""

import streamlit as st

# Absolute: Streamlit runs this as a script, which has no package.
from myapi import handlers

TITLE = "myapi"

st.set_page_config(page_title=TITLE)
st.title(TITLE)

typed = st.text_area("Text", height=200, max_chars=50_000)
file = st.file_uploader("Or a text file", type="txt")
text = handlers.decode(file.getvalue()) if file else typed
shortest = st.slider("Shortest word", min_value=1, max_value=10, value=4)

words, minutes = st.columns(2)
words.metric("Words", len(handlers.words(text)))
minutes.metric("Minutes to read", f"{handlers.reading_minutes(text):.1f}")

counts = handlers.most_frequent(text, number=10, shortest=shortest)
if counts:
    chart = {"word": list(counts), "times": list(counts.values())}
    st.bar_chart(chart, x="word", y="times", horizontal=True, sort="-times")
else:
    st.info("Paste a text to see its most frequent words.")
