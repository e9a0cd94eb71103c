namespace EventBus.Proof;

/// <summary>Tests the checker of sagas with mistakes planted in a correct record.</summary>
internal static class SagaMistakes
{
    private const int Good = 1;
    private const int Failing = 2;
    private const int Stopped = 3;
    private const int Refused = 4;

    private static readonly SagaRecord Clean = new()
    {
        Planned = Stand(
            (Good, SagaStatus.Completed),
            (Failing, SagaStatus.Compensated),
            (Stopped, SagaStatus.NeedsAttention),
            (Refused, SagaStatus.Compensated)),
        Rested = Stand(
            (Good, SagaStatus.Completed),
            (Failing, SagaStatus.Compensated),
            (Stopped, SagaStatus.NeedsAttention),
            (Refused, SagaStatus.Compensated)),
        Ended = Stand(
            (Good, SagaStatus.Completed),
            (Failing, SagaStatus.Compensated),
            (Stopped, SagaStatus.Compensated),
            (Refused, SagaStatus.Compensated)),
        Calls =
        [
            .. Calls(Good, "+pick . +pack . +ask . +pay . +ship . $"),
            .. Calls(Failing, "+pick . +pack . +ask ! -ask . -pack . -pick . $"),
            .. Calls(Stopped, "+pick . +pack ! -pack x -pack . -pick . $"),
            .. Calls(Refused, "+pick . +pack r -pick . $"),
        ],
        Alerts = [Stopped, Stopped],
        PublishedEvents =
        [
            .. PublishedEvents(Good, "saga.completed", ["pick", "pack", "ask", "pay", "ship"]),
            .. PublishedEvents(Failing, "saga.failed", ["pick", "pack"], "ask", "pack", "pick"),
            .. PublishedEvents(Stopped, "saga.failed", ["pick"], "pack", "pick"),
            .. PublishedEvents(Refused, "saga.failed", ["pick"], "pick"),
            .. PublishedEvents(Refused, "saga.failed", ["pick"], "pick"),
        ],
        ChangedLate = [],
    };

    public static void Run(Findings findings)
    {
        Check("sagas", null, Clean);
        Check("a missing saga", "lost: 2", Clean with
        {
            Ended = Stand(
            (Good, SagaStatus.Completed),
            (Stopped, SagaStatus.Compensated),
            (Refused, SagaStatus.Compensated))
        });
        Check(
            "an unplanned saga",
            "started without a plan: 9",
            Clean with { Ended = Stand([.. Pairs(Clean.Ended), (9, SagaStatus.Completed)]) });
        Check(
            "a saga that does not end",
            "stuck: 1 Running",
            Clean with { Ended = Stand([.. Pairs(Clean.Ended)[1..], (Good, SagaStatus.Running)]) });
        Check(
            "a saga that ends in another way",
            "at rest in another way than planned: 1 Compensated",
            Clean with { Rested = Stand([.. Pairs(Clean.Rested)[1..], (Good, SagaStatus.Compensated)]) });
        Replaced(
            "a saga that is resumed from the start",
            "executed in another order: 1",
            Good,
            "+pick . +pack . +pick . +pack . +ask . +pay . +ship . $");
        Replaced(
            "a step after a compensation",
            "executed in another order: 2",
            Failing,
            "+pick . +pack . +ask ! -ask . -pack . +ask . -pick . $");
        Replaced("compensations forward", "compensated in another order: 2", Failing, "+pick . +pack . +ask ! -pick . -pack . -ask . $");
        Replaced(
            "restarted compensations",
            "compensated in another order: 2",
            Failing,
            "+pick . +pack . +ask ! -ask . -pack . -ask . -pack . -pick . $");
        Replaced("a step in doubt that is not undone", "leaked effects: 2 ask", Failing, "+pick . +pack . +ask ! -pack . -pick . $");
        Replaced(
            "a step that is rejected after an attempt in doubt, and not undone",
            "leaked effects: 4 pack",
            Refused,
            "+pick . +pack ! +pack r -pick . $");
        Replaced("a step before one that is refused, not undone", "compensated in another order: 4", Refused, "+pick . +pack r $");
        Replaced(
            "a completed saga that is undone",
            "compensated in another order: 1",
            Good,
            "+pick . +pack . +ask . +pay . +ship . -ship . $");
        Replaced("an effect after its compensation", "leaked effects: 2 ask", Failing, "+pick . +pack . -ask . +ask ! -pack . -pick . $");
        Replaced("a step without effect", "missing effects: 1", Good, "+pick . +pack x +ask . +pay . +ship . $");
        Replaced("an attempt after the end", "attempts after the end: 1", Good, "+pick . +pack . +ask . +pay . +ship . $ +ship .");
        Check(
            "an effect with two keys",
            "effects twice: 1",
            Clean with { Calls = [.. Clean.Calls, new(ServiceMark.Acted, Good, "pay", false, "another", 1)] });
        Check("a key that changes", "keys of another form: another", Clean with
        {
            Calls = [
            new(ServiceMark.Begun, Good, "pick", false, "another", 1),
            new(ServiceMark.Failed, Good, "pick", false, "another", 1),
            .. Clean.Calls
        ]
        });
        Check(
            "an attempt with an old token",
            "two orchestrators at once: 1",
            Clean with { Calls = [new(ServiceMark.Begun, Good, "pick", false, "e-1/pick/execute", 2), .. Clean.Calls] });
        Check("an attempt that was suspended, and fails", null, Clean with
        {
            Calls = [
            Clean.Calls[0],
            new(ServiceMark.Failed, Good, "pick", false, "e-1/pick/execute", 0),
            .. Clean.Calls.Skip(1)
        ]
        });
        Check("a second attempt with an old token", "two orchestrators at once: 1 pick Begun", Clean with
        {
            Calls = [
            Clean.Calls[0],
            new(ServiceMark.Begun, Good, "pick", false, "e-1/pick/execute", 0),
            new(ServiceMark.Begun, Good, "pick", false, "e-1/pick/execute", 0),
            .. Clean.Calls.Skip(1)
        ]
        });
        Check(
            "a saga that is taken before its lease expired",
            "two orchestrators at once: 1 taken",
            Clean with { Calls = [new(ServiceMark.TakenEarly, Good, "", false, "e-1", 1), .. Clean.Calls] });
        Check(
            "two attempts with one token",
            "two orchestrators at once: 1",
            Clean with { Calls = [new(ServiceMark.Begun, Good, "pick", false, "e-1/pick/execute", 1), .. Clean.Calls] });
        Check(
            "two processes with one token",
            "two orchestrators at once: 1",
            Clean with { Calls = [new(ServiceMark.Failed, Good, "pick", false, "e-1/pick/execute", 1) { Process = -1 }, .. Clean.Calls] });
        Check("a saga changed by a late reply", "changed by a late reply: 1", Clean with { ChangedLate = [Good] });
        Check("an alert that is missing", "need attention, without an alert: 3", Clean with { Alerts = [] });
        Check("an alert without a cause", "alerts without a cause: 2", Clean with { Alerts = [Stopped, Failing] });
        Check(
            "an end without an event",
            "ends without an event, or not with one: 1",
            Clean with { PublishedEvents = [.. Clean.PublishedEvents.Where(published => published.Name != "saga.completed")] });
        Check(
            "an end with two ids",
            "ends without an event, or not with one: 1",
            Clean with { PublishedEvents = [.. Clean.PublishedEvents, new("other", "saga.completed", Good, [])] });
        Check(
            "both ends",
            "ends without an event, or not with one: 2",
            Clean with { PublishedEvents = [.. Clean.PublishedEvents, new("other", "saga.completed", Failing, [])] });
        Check("an end with another event", "ends with another event: 2", Clean with
        {
            PublishedEvents = [
            .. Clean.PublishedEvents.Where(published => published.Saga != Failing),
            .. PublishedEvents(Failing, "saga.failed", ["pick", "pack"], "pick", "pack", "ask")
        ]
        });
        Check(
            "a step without an event",
            "executed steps without an event, or not with one: 1",
            Clean with { PublishedEvents = [.. Clean.PublishedEvents.Where(published => published.Id != "1 pay")] });

        void Check(string mistake, string? reported, SagaRecord record) =>
            CheckerProof.Expect(findings, mistake, reported, found => SagaCheck.Run(found, record));

        void Replaced(string mistake, string reported, long saga, string timeline) =>
            Check(mistake, reported, Clean with { Calls = [.. Clean.Calls.Where(call => call.Saga != saga), .. Calls(saga, timeline)] });
    }

    /// <summary>
    /// Parses the timeline of a saga: an executed (+) or undone (-) step, and its result: done (.), failed without (x)
    /// or with (!) an effect, rejected (r); and the end ($).
    /// </summary>
    private static IEnumerable<ServiceCall> Calls(long saga, string timeline)
    {
        ServiceCall? call = null;
        foreach (var word in timeline.Split(' '))
        {
            if (word[0] is '+' or '-')
            {
                call = new ServiceCall(
                    ServiceMark.Begun,
                    saga,
                    word[1..],
                    word[0] == '-',
                    $"{Numbers.ToId(saga)}/{word[1..]}/{(word[0] == '-' ? "compensate" : "execute")}",
                    1);
                yield return call;
                continue;
            }

            if (word is "." or "!")
            {
                yield return call! with { Mark = ServiceMark.Acted };
            }

            yield return call! with
            {
                Mark = word switch
                {
                    "." =>
                ServiceMark.Ended,
                    "r" => ServiceMark.Rejected,
                    "$" => ServiceMark.AtEnd,
                    _ => ServiceMark.Failed
                }
            };
        }
    }

    private static IEnumerable<PublishedSagaEvent> PublishedEvents(long saga, string end, string[] executed, params string[] undone) =>
        [
            .. executed.Select(step => new PublishedSagaEvent($"{saga} {step}", "saga.step.completed", saga, [step])),
            new PublishedSagaEvent($"{saga} {end}", end, saga, undone)
        ];

    private static Dictionary<long, SagaStatus> Stand(params (long Saga, SagaStatus Status)[] sagas) =>
        sagas.ToDictionary(saga => saga.Saga, saga => saga.Status);

    private static (long Saga, SagaStatus Status)[] Pairs(IReadOnlyDictionary<long, SagaStatus> sagas) =>
        [.. sagas.OrderBy(saga => saga.Key).Select(saga => (saga.Key, saga.Value))];
}
