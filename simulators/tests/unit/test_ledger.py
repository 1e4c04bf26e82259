"""The oracle itself: it remembers across a kill, counts rightly, and signs as the vendor's own validator expects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from sms_simulators.accounts import Accounts, AccountSettings
from sms_simulators.ledger import Entry, Ledger, hints
from sms_simulators.twilio.signature import sign


def entry(*, tracking_id=None, to="+1", body="hi", accepted=True, account="AC1", outcome="accept"):
    sid = "SM1" if accepted else None
    return Entry(
        account=account, to=to, sender="A", body=body, outcome=outcome, accepted=accepted, accepted_at=1.0, sid=sid, tracking_id=tracking_id
    )


def test_it_counts_what_came_twice_by_tracking_id_or_else_by_number_and_text(tmp_path):
    with Ledger(tmp_path / "l") as ledger:
        for each in [
            entry(tracking_id="t1"),
            entry(tracking_id="t1", account="AC2"),
            entry(tracking_id="t2"),
            entry(body="a"),
            entry(body="a"),
            entry(body="b"),
            entry(to="+2", body="b", outcome="accept_then_500"),
            entry(tracking_id="t1", accepted=False, outcome="refuse"),
        ]:
            ledger.add(each)
        summary = ledger.summary()
        assert (summary.accepted, summary.refused, summary.distinct) == (7, 1, 5)
        assert sorted(summary.duplicates.values()) == [2, 2]
        assert summary.duplicates["t1"] == 2
        assert summary.by_account == {"AC1": 6, "AC2": 1}
        assert summary.by_outcome == {"accept": 6, "accept_then_500": 1}
        assert ledger.summary("AC2").accepted == 1


@pytest.mark.parametrize("fsync", [False, True])
def test_it_survives_a_kill_in_the_middle_of_a_line(tmp_path, fsync):
    path = tmp_path / "l"
    ledger = Ledger(path, fsync=fsync)
    ledger.add(entry(tracking_id="t1"))
    ledger.add(entry(accepted=False))
    ledger.close()
    path.write_bytes(path.read_bytes() + b'{"account":"AC1","to')
    with Ledger(path) as again:
        assert [e.tracking_id for e in again.entries] == ["t1"]
        assert len(again.refusals) == 1
        again.add(entry(tracking_id="t2"))
    with Ledger(path) as third:
        assert [e.tracking_id for e in third.entries] == ["t1", "t2"]


def test_it_can_begin_anew(tmp_path):
    with Ledger(tmp_path / "l") as ledger:
        ledger.add(entry())
        ledger.clear()
        assert ledger.summary().accepted == 0
        ledger.add(entry(tracking_id="t9"))
    with Ledger(tmp_path / "l") as again:
        assert [e.tracking_id for e in again.entries] == ["t9"]


def test_hints_come_from_the_callback_url():
    assert hints("http://127.0.0.1/v1/callbacks/eu/token?m=t1&a=2&s=x") == ("t1", "2")
    assert hints("http://127.0.0.1/") == (None, None)
    assert hints(None) == (None, None)


def test_accounts_survive_a_restart_and_only_an_open_vendor_takes_strangers(tmp_path):
    path = tmp_path / "accounts"
    Accounts(path).put("AC1", AccountSettings(auth_token="t", api_keys={"SK1": "s"}))
    closed, open_ = Accounts(path), Accounts(path, open_=True)
    assert path.stat().st_mode & 0o077 == 0
    for accounts in (closed, open_):
        assert accounts.authenticate("AC1", "Basic QUMxOnQ=") is not None  # AC1:t
        assert accounts.authenticate("AC1", "Basic U0sxOnM=") is not None  # SK1:s
        for wrong in ("", "Basic", "Basic !", "Bearer QUMxOnQ=", "Basic QUMxOnU=", "Basic U0sxOnQ=", "Basic QUMx", "Basic /w=="):
            assert accounts.authenticate("AC1", wrong) is None
    assert closed.authenticate("AC2", "Basic QUMyOng=") is None
    stranger = open_.authenticate("AC2", "Basic QUMyOng=")  # AC2:x
    assert stranger is not None
    assert stranger.settings.auth_token == "x"
    assert open_.authenticate("AC2", "Basic QUMyOng=") is stranger


def test_the_published_vector():
    fields = {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309", "To": "+18005551212"}
    assert sign("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", fields) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


words = st.text(st.characters(blacklist_categories=["Cs"]))


@given(fields=st.dictionaries(words.filter(bool), words), token=words, port=st.sampled_from(["", ":80", ":8080"]))
def test_the_vendors_validator_takes_its_signatures(fields, token, port):
    url = f"http://127.0.0.1{port}/v1/callbacks/eu/token?m=1"
    assert RequestValidator(token).validate(url, fields, sign(token, url, fields))
    assert not RequestValidator(token + "x").validate(url, fields, sign(token, url, fields))
