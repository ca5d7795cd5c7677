//! Attempts that fail as they are scripted to, on nodes that nobody connects to.

use std::sync::Arc;

use super::*;
use crate::bucket::rest::test_tables::{Silent, cluster};
use crate::bucket::{BucketError, rest::batch};
use crate::clock::Deadline;

const AMPLE: Duration = Duration::from_secs(60);

fn timeouts() -> BucketTimeouts {
    BucketTimeouts::default()
}

fn link(nodes: u16, wait: Duration) -> NodeLink {
    let cluster = Arc::new(cluster(Silent, nodes));
    NodeLink::open(&cluster, Deadline::after(clock::now(), wait)).unwrap()
}

fn failure(retry: Retry) -> Failure {
    Failure::new(BucketError::unavailable("x"), retry)
}

/// How it ended, and how many attempts that took, where all of them fail like this.
fn fail_always(link: &mut NodeLink, policy: &Policy, retry: Retry) -> (Result<(), Failure>, u32) {
    let mut attempts = 0;
    let outcome = run(link, policy, |_| {
        attempts += 1;
        Err(failure(retry))
    });
    (outcome, attempts)
}

#[test]
fn what_may_help_is_tried_until_it_does() {
    for policy in [Policy::read(&timeouts()), Policy::batch(&timeouts(), "a test")] {
        let mut link = link(2, AMPLE);
        let mut script = [Retry::Reconnect, Retry::AfterPause, Retry::NextNode, Retry::NextNode].into_iter();
        let mut asked = Vec::new();
        let outcome = run(&mut link, &policy, |exchange| {
            asked.push(exchange.peer().to_owned());
            script.next().map_or(Ok(7), |retry| Err(failure(retry)))
        });
        assert_eq!(outcome.unwrap(), 7);
        assert_eq!(asked[0], asked[1], "a new connection is one to the same node");
        assert_ne!(asked[1], asked[2], "after a pause it is another node's turn");
        assert_ne!(asked[2], asked[3], "the next node is another one");
        assert_eq!(asked.len(), 5);
    }
}

#[test]
fn what_nothing_helps_against_ends_at_once_and_so_does_the_end_of_the_time() {
    for policy in [Policy::read(&timeouts()), Policy::batch(&timeouts(), "a test")] {
        for (retry, wait, expected) in [
            (Retry::Never, AMPLE, 1),
            (Retry::NotSent, AMPLE, 1),
            // There is no login that could be another one.
            (Retry::NewCredentials, AMPLE, 1),
            (Retry::AfterPause, Duration::ZERO, 1),
            (Retry::NextNode, Duration::ZERO, 1),
            (Retry::Reconnect, Duration::ZERO, 2),
        ] {
            let (outcome, attempts) = fail_always(&mut link(2, wait), &policy, retry);
            assert_eq!((outcome.is_err(), attempts), (true, expected), "{retry:?} {policy:?}");
        }
    }
}

#[test]
fn a_read_gives_up_after_some_pauses_and_a_batch_at_its_deadline() {
    let (outcome, attempts) = fail_always(&mut link(2, AMPLE), &Policy::read(&timeouts()), Retry::AfterPause);
    assert_eq!((outcome.is_err(), attempts), (true, 5));
    let brief = Duration::from_millis(200);
    let policy = Policy::batch(&timeouts(), "a test");
    let (outcome, attempts) = fail_always(&mut link(1, brief), &policy, Retry::AfterPause);
    assert!(outcome.is_err() && attempts > 1, "{attempts}");
}

#[test]
fn in_an_outage_that_lasts_a_read_tries_each_node_once() {
    let mut link = link(3, AMPLE);
    let policy = Policy::read(&timeouts());
    let (_, first) = fail_always(&mut link, &policy, Retry::NextNode);
    assert!(first >= 6, "a failure that is new is worth a pause: {first}");
    std::thread::sleep(Duration::from_millis(500));
    let (_, later) = fail_always(&mut link, &policy, Retry::NextNode);
    assert_eq!(later, 3);
}

/// The outcome and the nodes that were asked, where each attempt fails with the next of these and then succeeds.
fn scripted(link: &mut NodeLink, script: Vec<Failure>) -> (Result<(), Failure>, Vec<String>) {
    let (mut script, mut asked) = (script.into_iter(), Vec::new());
    let outcome = run(link, &Policy::read(&timeouts()), |exchange| {
        asked.push(exchange.peer().to_owned());
        script.next().map_or(Ok(()), Err)
    });
    (outcome, asked)
}

fn of_one_node(reason: &str) -> Failure {
    Failure::lasting(BucketError::unavailable(reason)).in_scope(ErrorScope::Node)
}

#[test]
fn an_error_that_another_node_may_not_share_is_tried_on_one_other_node() {
    let (outcome, asked) = scripted(&mut link(3, AMPLE), vec![of_one_node("first")]);
    assert_eq!((outcome, asked.len()), (Ok(()), 2));
    assert_ne!(asked[0], asked[1]);

    let shared = vec![of_one_node("first"), of_one_node("second"), of_one_node("third")];
    let (outcome, asked) = scripted(&mut link(3, AMPLE), shared);
    assert_eq!((outcome, asked.len()), (Err(of_one_node("first")), 2), "the first error stands after two requests");

    let (outcome, asked) = scripted(&mut link(1, AMPLE), vec![of_one_node("first")]);
    assert_eq!((outcome, asked.len()), (Err(of_one_node("first")), 1), "there is no other node");

    let of_document = Failure::lasting(BucketError::misconfigured("of the document"));
    let (outcome, _) = scripted(&mut link(2, AMPLE), vec![of_one_node("first"), of_document.clone()]);
    assert_eq!(outcome, Err(of_document), "the other node answered, and not with an error of its own");

    let mut lasting_link = link(2, AMPLE);
    let (outcome, _) = scripted(&mut lasting_link, vec![of_one_node("first"), failure(Retry::NextNode)]);
    assert_eq!(outcome, Err(of_one_node("first")), "the other node is out of reach");
}

#[test]
fn a_node_that_another_has_shown_to_err_is_asked_no_more() {
    let mut link = link(2, AMPLE);
    let (_, asked) = scripted(&mut link, vec![of_one_node("first")]);
    for _ in 0..20 {
        let fresh = NodeLink::open(link.cluster(), Deadline::after(clock::now(), AMPLE)).unwrap();
        assert!(asked[1].ends_with(&fresh.node().authority()), "{asked:?}");
    }
}

#[test]
fn a_protocol_that_only_reads_says_what_to_do_instead() {
    let mut link = link(1, AMPLE);
    let outcomes =
        [batch::store(&mut link, &timeouts(), &[]).err(), batch::list(&mut link, &timeouts(), None, 1).err()];
    for outcome in outcomes {
        let Some(BucketError::Misconfigured { reason }) = outcome else { panic!("{outcome:?}") };
        assert_eq!(reason, "the toy reads single documents only; take the tools of Toy");
    }
}
