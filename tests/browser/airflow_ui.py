"""Pages of Airflow's web UI as a person uses them: by what is written on them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from playwright.sync_api import Locator, Page, expect

WEB_UI = "http://aihub.example.com"
"""Where the web pages of AIHub are in these tests. The browser itself answers for them."""
PATIENCE = 180_000
"""Milliseconds until what is waited for is given up; generous, for a machine that has other things to do."""


class Connections:
    """*Admin → Connections*, and the form that it opens."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.form = page.get_by_role("dialog")
        # A switch has a second label, which says nothing. Required fields have a star.
        self.labels = self.form.locator("label").filter(visible=True, has_text=re.compile(r"\S"))
        self.save = self.form.get_by_role("button", name="Save")
        self.add = page.get_by_role("button", name="Add Connection")
        page.goto(f"{url}/connections")

    def new(self, conn_id: str) -> None:
        """Open the form for a new connection of type AIHub."""
        self.add.click()
        self.form.get_by_label("Connection ID").fill(conn_id)
        kind = self.form.get_by_role("combobox", name="Connection Type")
        kind.fill("AIHub")
        self.page.get_by_role("option", name="AIHub", exact=True).click()

    def edit(self, conn_id: str) -> None:
        """Open the form of a connection that exists."""
        self._row(conn_id).get_by_role("button", name="Edit Connection").click()
        self.form.get_by_role("heading", name="Edit Connection").wait_for()

    def unfold(self, name: str) -> None:
        """Open a section of the form; Airflow shows one at a time."""
        section = self.form.get_by_role("button", name=name, exact=True)
        section.click()
        expect(section).to_have_attribute("aria-expanded", "true")

    def field(self, label: str) -> Locator:
        """Return a field with all that belongs to it: label, input, help text."""
        return self.form.get_by_role("group").filter(has=self.page.get_by_text(label, exact=True)).first

    def text(self, label: str) -> Locator:
        """Return the input of a field into which one writes."""
        return self.field(label).locator("input, textarea").first

    def switch(self, label: str) -> Locator:
        """Return the switch of a field that is on or off."""
        return self.field(label).get_by_role("checkbox")

    def options(self, label: str) -> list[str]:
        """Look what a drop-down offers."""
        self.drop_down(label)
        offered = self.page.get_by_role("option").all_text_contents()
        self.fold_up()
        return offered

    def drop_down(self, label: str) -> None:
        """Open a drop-down."""
        self.field(label).get_by_role("combobox").click()
        self.page.get_by_role("option").first.wait_for()

    def fold_up(self) -> None:
        """Close the drop-down that is open. Escape would close the form."""
        self.page.keyboard.press("Tab")

    def choose(self, label: str, option: str) -> None:
        """Take an option of a drop-down."""
        self.field(label).get_by_role("combobox").click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def fill(self, values: Mapping[str, str]) -> None:
        """Fill in fields of the open section."""
        for label, value in values.items():
            self.text(label).fill(value)

    def submit(self) -> None:
        """Save what is in the form."""
        self.save.click()
        expect(self.form).to_be_hidden()

    def test(self, conn_id: str) -> Locator:
        """Press *Test Connection*, and return the message that pops up."""
        self._row(conn_id).get_by_role("button", name="Test Connection").click()
        # The button's own tooltip would lie over the rows beside it.
        self.page.mouse.move(0, 0)
        message = self.page.get_by_role("status").filter(has_text="Test Connection")
        message.wait_for()
        return message

    def _row(self, conn_id: str) -> Locator:
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("cell", name=conn_id, exact=True))


class TaskPage:
    """The page of one task instance.

    :param run: Address of the DAG run.
    :param map_index: Which of a mapped task's instances; -1 for a task that is not mapped.
    """

    def __init__(self, page: Page, run: str, task_id: str, map_index: int = -1) -> None:
        self.page = page
        self.url = f"{run}/tasks/{task_id}" + (f"/mapped/{map_index}" if map_index >= 0 else "")

    def details(self) -> TaskPage:
        """Open the tab that has the links."""
        self.page.goto(f"{self.url}/details")
        return self

    def log(self, try_number: int) -> TaskPage:
        """Open the log of a try."""
        self.page.goto(f"{self.url}?try_number={try_number}")
        return self

    def link(self, name: str) -> Locator:
        """Return a link of the task, or of its log."""
        return self.page.get_by_role("link", name=name, exact=True)

    def opens(self, name: str) -> Page:
        """Click a link, and return the page that it opens in a tab of its own."""
        with self.page.expect_popup() as opened:
            self.link(name).click()
        return opened.value
