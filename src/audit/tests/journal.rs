//! The journal from its door: what stands in the file afterwards.

use std::future::Future;
use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_call_has_an_intent_and_an_outcome() {
    let place = Place::new();
    let (audit, opened) = place.open();
    assert_eq!(opened, Opened { first: 1, ..Opened::default() });
    let pending = begin(&audit, Action::Allow).await.unwrap();
    let id = pending.id().to_string();
    let stages: Vec<_> = lines(&place.records(), &id).iter().map(|r| r["stage"].clone()).collect();
    assert_eq!(stages, ["intent"], "written before the call is forwarded");
    let outcome = Outcome { status: Some(201), made: Some("ab".repeat(32)), ..Outcome::default() };
    pending.finish(Ended::Complete, &outcome);
    audit.close().await;
    let records = place.records();
    let lines = lines(&records, &id);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["outcome"]["status"], 201);
    assert_eq!(lines[1]["outcome"]["ended"], "complete");
    let events: Vec<_> = records.iter().filter_map(|r| r["event"].as_str()).collect();
    assert_eq!(events, ["checkpoint", "start", "stop", "checkpoint"]);
    let report = place.verify();
    assert_eq!(report.fault, None);
    assert_eq!((report.records, report.open, report.unsigned, report.closed), (6, 0, 0, true));
}

#[tokio::test]
async fn a_refused_call_has_an_outcome_only_and_waits_for_no_fsync() {
    let place = Place::new();
    let (audit, _) = place.open();
    let before = audit.stats().syncs;
    let pending = begin(&audit, Action::Deny).await.unwrap();
    assert_eq!(audit.stats().syncs, before);
    let id = pending.id().to_string();
    pending.finish(Ended::Refused, &Outcome::default());
    audit.close().await;
    let records = place.records();
    let lines = lines(&records, &id);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["stage"], "outcome");
    assert_eq!(lines[0]["verdict"]["findings"][0]["field"], "HostConfig.Privileged");
}

#[tokio::test]
async fn an_admins_word_is_written_before_it_counts() {
    let place = Place::new();
    let (audit, _opened) = place.open();
    let Peer::Unix(by) = peer() else { panic!("a Unix peer") };
    let until = Timestamp::from_second(1_790_000_000).unwrap();
    let event = |word| ApprovalEvent {
        word,
        id: "7f3k",
        principal: "ci",
        summary: "ContainerCreate",
        call: "r",
        by: &by,
        via: Via::CommandLine,
    };
    audit.approval(&event(Word::Approve(until))).await.unwrap();
    assert_eq!(audit.stats().syncs, 2, "at the start, and for it");
    audit.approval(&event(Word::Refused("no"))).await.unwrap();
    let records = place.records();
    let words: Vec<_> = records.iter().filter(|record| record["kind"] == "approval").collect();
    assert_eq!(words.len(), 2);
    assert_eq!((&words[0]["event"], &words[0]["until"]), (&"approve".into(), &"2026-09-21T14:13:20.000000000Z".into()));
    assert_eq!((&words[0]["approval"]["id"], &words[0]["by"]["login_uid"]), (&"7f3k".into(), &1001.into()));
    assert!(!words[0].to_string().contains("hunter2"));
    assert_eq!((&words[1]["event"], &words[1]["why"]), (&"refused".into(), &"no".into()));
    audit.clone().close().await;
    assert!(audit.approval(&event(Word::Reject)).await.is_err());
}

#[tokio::test]
async fn a_dropped_call_is_recorded_as_aborted() {
    let place = Place::new();
    let (audit, _) = place.open();
    drop(begin(&audit, Action::Allow).await.unwrap());
    audit.close().await;
    let records = place.records();
    let ended: Vec<_> = records.iter().filter_map(|r| r["outcome"]["ended"].as_str()).collect();
    assert_eq!(ended, ["aborted"]);
}

#[tokio::test]
async fn at_level_none_only_what_the_policy_spoke_of_is_written() {
    let place = Place::new();
    let none = Levels { default: Level::None, effects: Level::None, ping: Level::None };
    let settings = Settings { levels: none, ..place.settings() };
    let (audit, _) = Audit::open(settings).unwrap();
    for (action, ended) in
        [(Action::Allow, Ended::Complete), (Action::Observe, Ended::Complete), (Action::Deny, Ended::Refused)]
    {
        begin(&audit, action).await.unwrap().finish(ended, &Outcome::default());
    }
    audit.close().await;
    let records = place.records();
    let outcomes: Vec<_> =
        records.iter().filter(|r| r["stage"] == "outcome").map(|r| &r["verdict"]["action"]).collect();
    assert_eq!(outcomes, ["observe", "deny"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_share_their_fsyncs() {
    const CALLS: usize = 64;
    let place = Place::new();
    let (audit, _) = place.open();
    let before = audit.stats();
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let audit = audit.clone();
            tokio::spawn(async move {
                begin(&audit, Action::Allow).await.unwrap().finish(Ended::Complete, &Outcome::default());
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let after = audit.stats();
    assert!(after.syncs > before.syncs);
    assert!(after.syncs - before.syncs < CALLS as u64, "{} fsyncs", after.syncs - before.syncs);
    audit.close().await;
    assert_eq!(place.verify().records, 2 * CALLS as u64 + 4);
}

#[tokio::test]
async fn never_means_no_fsync() {
    let place = Place::new();
    let settings = Settings { sync: SyncPolicy::Never, ..place.settings() };
    let (audit, _) = Audit::open(settings).unwrap();
    drop(begin(&audit, Action::Allow).await.unwrap());
    assert_eq!(audit.stats().syncs, 0);
    audit.close().await;
    assert!(place.verify().closed);
}

#[tokio::test]
async fn a_second_gate_is_refused() {
    let place = Place::new();
    let (audit, _) = place.open();
    let second = Audit::open(place.settings()).unwrap_err().to_string();
    assert!(second.contains("another gate is writing to it"), "{second}");
    audit.close().await;
    place.open().0.close().await;
}

#[tokio::test]
async fn files_are_rotated_signed_and_followed() {
    let place = Place::new();
    let settings =
        Settings { rotate: Rotate { size: 8 << 10, keep: 100 }, sync: SyncPolicy::Never, ..place.settings() };
    let (audit, _) = Audit::open(settings).unwrap();
    let mut follower = Follower::open_from_start(&place.journal()).unwrap();
    let held = begin(&audit, Action::Allow).await.unwrap();
    for _ in 0..50 {
        begin(&audit, Action::Allow).await.unwrap().finish(Ended::Complete, &Outcome::default());
    }
    // Open across many files, and still known to be; what was queued before the second intent is in the file with it.
    let second = begin(&audit, Action::Allow).await.unwrap();
    assert_eq!(place.verify().open, 2);
    drop((held, second));
    audit.close().await;
    let report = place.verify();
    assert_eq!(report.fault, None);
    assert!(report.files > 4 && report.closed, "{report:?}");
    for path in files(&place.journal()).unwrap() {
        let records = records_of(&path);
        assert_eq!(records[0]["reason"], "begin");
        assert!(["rotate", "close"].contains(&records.last().unwrap()["reason"].as_str().unwrap()));
    }
    for seq in 1..=report.records {
        assert_eq!(follower.next().await.unwrap().seq, Some(seq));
    }
    assert_eq!(follower.try_next().unwrap(), None);
}

#[tokio::test]
async fn a_follower_from_the_end_sees_only_what_is_new() {
    let place = Place::new();
    let (audit, _) = place.open();
    let last = place.records().len() as u64;
    let mut follower = Follower::open_at_end(&place.journal()).unwrap();
    assert_eq!(follower.try_next().unwrap(), None);
    drop(begin(&audit, Action::Deny).await.unwrap());
    assert_eq!(follower.next().await.unwrap().seq, Some(last + 1));
    audit.close().await;
}

#[tokio::test]
async fn a_follower_from_near_the_end_begins_at_a_line_and_misses_none_after_it() {
    let place = Place::new();
    let settings = Settings { rotate: Rotate { size: 4096, keep: 100 }, ..place.settings() };
    let (audit, _) = Audit::open(settings).unwrap();
    for _ in 0..10 {
        drop(begin(&audit, Action::Deny).await.unwrap());
    }
    audit.close().await;
    let last = place.records().last().unwrap()["seq"].as_u64().unwrap();
    let lengths: Vec<u64> =
        files(&place.journal()).unwrap().iter().map(|file| file.metadata().unwrap().len()).collect();
    let (newest, older) = (lengths[lengths.len() - 1], lengths[lengths.len() - 2]);
    for bytes in (0..newest + older + 300).step_by(97).chain([newest, newest + older, u64::MAX]) {
        let mut follower = Follower::open_near_end(&place.journal(), bytes).unwrap();
        let (mut length, mut seqs) = (0, Vec::new());
        while let Some(line) = follower.try_next().unwrap() {
            length += line.bytes.len() as u64 + 1;
            seqs.push(line.seq.unwrap());
        }
        let longest = 4096;
        assert!(length <= bytes && length + longest >= bytes.min(newest + older), "{length} of {bytes}");
        assert_eq!(seqs, (last + 1 - seqs.len() as u64..=last).collect::<Vec<_>>(), "{bytes}");
    }
}

/// On a clock that leaps to the next timer whenever nothing else is to be done: a poll would leap with it.
#[tokio::test(start_paused = true)]
async fn an_idle_follower_sleeps_until_the_journal_is_written_even_to_a_new_file() {
    let place = Place::new();
    let settings = Settings { rotate: Rotate { size: 1, keep: 100 }, ..place.settings() };
    let (audit, _) = Audit::open(settings).unwrap();
    let mut follower = Follower::open_at_end(&place.journal()).unwrap();
    let mut looks = 0;
    {
        let mut next = std::pin::pin!(follower.next());
        let counted = std::future::poll_fn(|cx| {
            looks += 1;
            next.as_mut().poll(cx)
        });
        tokio::time::timeout(Duration::from_secs(3600), counted).await.unwrap_err();
    }
    assert!(looks <= 2, "{looks} looks in an idle hour");

    let mut seq = place.records().last().unwrap()["seq"].as_u64().unwrap();
    for _ in 0..20 {
        let written = audit.lifecycle(LifecycleEvent::Drain { reason: "test".into(), open: 0 });
        let (line, ()) = tokio::join!(follower.next(), written);
        seq += 1;
        assert_eq!(line.unwrap().seq, Some(seq));
        while follower.try_next().unwrap().is_some() {
            seq += 1;
        }
    }
    audit.close().await;
}

#[tokio::test]
async fn old_files_are_removed_and_missing_ones_are_found() {
    let place = Place::new();
    let settings = Settings { rotate: Rotate { size: 8 << 10, keep: 3 }, sync: SyncPolicy::Never, ..place.settings() };
    let (audit, _) = Audit::open(settings).unwrap();
    for _ in 0..60 {
        drop(begin(&audit, Action::Allow).await.unwrap());
    }
    audit.close().await;
    let report = place.verify();
    let kept = files(&place.journal()).unwrap();
    assert_eq!((report.fault, kept.len()), (None, 4));
    assert!(report.first_seq > Some(1));
    std::fs::remove_file(&kept[1]).unwrap();
    let fault = place.verify().fault.unwrap();
    assert_eq!((&fault.file, fault.line), (&kept[2], 1));
    assert!(fault.why.contains("a file is missing"), "{}", fault.why);
}

#[tokio::test]
async fn tampering_is_found_where_it_was_done() {
    let place = Place::new();
    let (audit, _) = place.open();
    for _ in 0..4 {
        drop(begin(&audit, Action::Allow).await.unwrap());
    }
    audit.close().await;
    let journal = std::fs::read(place.journal()).unwrap();
    let lines: Vec<&[u8]> = journal.split_inclusive(|b| *b == b'\n').collect();
    let fault = |lines: &[&[u8]]| {
        std::fs::write(place.journal(), lines.concat()).unwrap();
        place.verify().fault.map(|f| f.line)
    };
    assert_eq!(fault(&lines), None);
    let last = lines.len() - 1;
    for at in 0..last {
        let mut swapped = lines.clone();
        swapped.swap(at, at + 1);
        assert_eq!(fault(&swapped), Some(at as u64 + 1), "swapped {at}");
        let mut removed = lines.clone();
        removed.remove(at);
        assert_eq!(fault(&removed), Some(at as u64 + 1), "removed {at}");
    }
    // Cut off at the end: the chain cannot tell, but no checkpoint speaks for what is left.
    std::fs::write(place.journal(), lines[..last].concat()).unwrap();
    let report = place.verify();
    assert_eq!((report.fault, report.closed), (None, false));
    assert!(report.unsigned > 0);
}

#[tokio::test]
async fn a_chain_made_anew_lacks_the_signature() {
    let place = Place::new();
    let (audit, _) = place.open();
    audit.close().await;
    let forger = Place::new();
    let (audit, _) = forger.open();
    audit.close().await;
    std::fs::copy(forger.journal(), place.journal()).unwrap();
    let fault = place.verify().fault.unwrap();
    assert_eq!((fault.line, fault.why.as_str()), (1, "the checkpoint is signed with another key"));
}
