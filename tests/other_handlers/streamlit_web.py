"""Another page in the place of the starter's, which needs what its handlers.py has."""

import streamlit as st

st.title("Squares")
number = int(st.number_input("Number", min_value=0, max_value=100))
st.metric("Square", number * number)
