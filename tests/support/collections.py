"""Collections, which an endpoint reads through a pipe that it shares: how they stand, asked of the systems."""

from tests.support.sandbox import Sandbox

TABLE, PAGE, READER = "collections", "collections_list", "collections_filtered"
COPY = "insights_projects_populated_copy"  # the copy pipe that reads them


def nodes(sandbox: Sandbox, pipe: str = READER) -> list[str]:
    return [node["sql"] for node in sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()["nodes"]]


def page(sandbox: Sandbox) -> object:
    """What the page shows; None where it does not answer."""
    answer = sandbox.tinybird.get(f"/v0/pipes/{PAGE}.json")
    return answer.json()["data"] if answer.is_success else None


def strays(sandbox: Sandbox, name: str = TABLE) -> set[str]:
    """What runs left beside the table."""
    found = [*sandbox.tinybird.get("/v0/datasources").json()["datasources"]]
    found += sandbox.tinybird.get("/v0/pipes").json()["pipes"]
    return {each["name"] for each in found if each["name"].startswith(f"{name}__")}


def change(sandbox: Sandbox, text: str) -> None:
    """Somebody renames three of them and makes one new."""
    sandbox.pg(
        'UPDATE collections SET name = %s, "updatedAt" = clock_timestamp()'
        " WHERE id IN (SELECT id FROM collections ORDER BY id LIMIT 3)",
        [text],
    )
    sandbox.pg("INSERT INTO collections (name, slug) VALUES (%s, %s)", [text, f"{text.replace(' ', '-')}-of-somebody"])


def same_rows(sandbox: Sandbox, *columns: str) -> None:
    """Every collection of Postgres is in Tinybird with these values, and no other, within a while."""
    named = ", ".join(f'"{column}"' for column in columns)
    texts = ", ".join(f'coalesce("{column}"::text, \'\') AS "{column}"' for column in columns)
    here = {row.pop("id"): row for row in sandbox.pg(f"SELECT id::text AS id, {texts} FROM collections")}

    def there() -> dict[str, object]:
        return {row.pop("id"): row for row in sandbox.tb(f"SELECT id, {named} FROM collections FINAL")}

    sandbox.until(lambda: there() == here, what="the collections of Postgres in Tinybird")
