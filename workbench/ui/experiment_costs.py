"""What an experiment's lanes cost in seconds of the model's work, in energy and in money."""

import streamlit as st

from workbench.cost import together
from workbench.experiments.results import Results
from workbench.store.costs import lane_costs
from workbench.ui import costs, money, session
from workbench.ui.experiment_results import lane_html, table_html

HEADS = ("Lane", "Runs", "Load", "Prefill", "Decode", "Energy", "Money")


def draw(experiment: str, found: Results) -> None:
    """A row for each lane whose runs are there; nothing where none of them tells anything."""
    known, prices = lane_costs(session.engine().store.database, experiment), money.prices()
    spent = {lane: together(runs, prices) for lane, runs in sorted(known.items())}
    told = [
        one for one in spent.values() if one.money or any(part.known for part in (one.prefill, one.decode, one.joules))
    ]
    if not told:
        return
    st.subheader("Time, energy and money", anchor="time-and-money")
    names = {lane: lane_html(lane, found.lanes[lane].name) for lane in spent}
    rows = [(names[lane], f"{one.runs:,}", *costs.figures(one)) for lane, one in spent.items()]
    st.html(table_html("Time, energy and money", HEADS, rows))
    dates = [amount for one in told for amount in one.money]
    prices_of = f" Money at the prices of {max(amount.as_of for amount in dates)}." if dates else ""
    st.caption(f"Sums over the lane's runs, the middle run's in small. What the judge cost is not in it.{prices_of}")
