namespace EventBus.Proof;

/// <summary>
/// Tests the checkers of the fuzzer: each mistake planted in a ledger or a log is reported by its name, and a message
/// can be created again from its number.
/// </summary>
internal static class FuzzMistakes
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    public static void Run(Findings findings)
    {
        Check("a ledger of messages", null, Clean());
        Check("a message that arrived while another one with its id waited", null, Clean(ledger => Share(ledger, 9, 13)));
        Check("a message that arrived after another one with its id was handled", "lost: 13", Clean(ledger => Share(ledger, 4, 13)));
        Check("a message without a result", "lost: 3", Clean(ledger => ledger.Sent(Message(3), FuzzKind.Plain)));
        Check("a message that was handled twice", "twice: 0", Clean(ledger => ledger.Take(new Entry(0, 0, Kind.End, 0))));
        Check("two dead letters of a message", "twice: 1", Clean(ledger => ledger.AddDeadLetter(1, DeadLetterReason.Unreadable, null)));
        Check("a message that was handled, and is dead", "handled and dead: 2", Clean(ledger => Handle(ledger, 2)));
        Check("a message that is unknown", "unexpected: a handled event", Clean(ledger => Handle(ledger, FuzzMark.None)));
        Check(
            "a message that was never sent",
            "unexpected: a dead letter",
            Clean(ledger => ledger.AddDeadLetter(7, DeadLetterReason.Unreadable, null)));
        Check("a missing follow-up event", "missing follow-up events: 8", Clean(ledger => Handle(ledger, 8)));
        Check(
            "a follow-up event without a cause",
            "too many follow-up events: 1",
            Clean(ledger => ledger.Take(new Entry(0, 0, Kind.FollowUp, 1))));
        Check("a missing tick", "lost ticks: 1", Clean(ledger => ledger.TickSent(1)));
        Check("a tick that waits for too long", "longest wait of a tick", Clean(ledger => Tick(ledger, LongestWait * 1.1)));
        Check(
            "messages of which few were read",
            "passed the first check",
            Clean(ledger => Array.ForEach([4L, 6, 7, 10], number => AddDeadLetter(ledger, number))));
        Expect("a log without content", null, "12:00:00 Critical it failed: fz1z\\u000aintruder-7d21");
        Expect("a log with content", "lines with content", $"12:00:00 it failed: Path $.map['{FuzzMark.Canary}']");
        Expect("a line begun by foreign text", "lines begun by foreign text", "12:00:00 it failed", $" {FuzzMark.ForeignText} crit");
        Expect("a line with a control character", "lines with control characters", "12:00:00 it failed: \u001b[31m");
        CheckerProof.Expect(
            findings,
            "a shared dead letter that no line reports",
            "lines that report a shared dead letter",
            found => FuzzLogCheck.Run(found, [], shared: 1));
        Derive(findings);

        void Check(string mistake, string? reported, FuzzLedger ledger) =>
            CheckerProof.Expect(findings, mistake, reported, found => FuzzCheck.Run(found, ledger, LongestWait));

        void Expect(string mistake, string? reported, params string[] lines) =>
            CheckerProof.Expect(findings, mistake, reported, found => FuzzLogCheck.Run(found, lines));
    }

    /// <summary>Message 50 is the same whether or not others were created before it.</summary>
    private static void Derive(Findings findings)
    {
        var generator = new FuzzGenerator(7);
        var made = Enumerable.Range(0, 51).Select(number => generator.Make(number)).ToList();
        var again = new FuzzGenerator(7).Make(50);
        findings.Demand(
            made[50].Body.AsSpan().SequenceEqual(again.Body) && made[50].Attributes.Select(attribute => attribute.Name)
                .SequenceEqual(again.Attributes.Select(attribute => attribute.Name)),
            "a message created again from its number", "the same");
        findings.Demand(
            made.Select(message => message.Kind).Distinct().Count() > 5,
            "kinds among the first messages",
            $"{made.Select(message => message.Kind).Distinct().Count()}");
    }

    private static FuzzLedger Clean(Action<FuzzLedger>? mistake = null)
    {
        var ledger = new FuzzLedger(16);
        Array.ForEach([0L, 1, 2], number => ledger.Sent(Message(number), FuzzKind.Plain));
        ledger.Take(new Entry(0, 0, Kind.End, 0));
        ledger.Take(new Entry(0, 0, Kind.FollowUp, 0));
        ledger.AddDeadLetter(1, DeadLetterReason.Unreadable, "The field 'type' is not an event name.");
        ledger.AddDeadLetter(2, DeadLetterReason.HandlerFailed, "planned");
        Tick(ledger, TimeSpan.FromSeconds(0.5));
        mistake?.Invoke(ledger);
        return ledger;
    }

    private static FuzzMessage Message(long number, long twinOf = FuzzMark.None) =>
        new() { Number = number, Kind = FuzzKind.Plain, Route = [], Attributes = [], Chance = new Chance(1, number), TwinOf = twinOf };

    private static void Share(FuzzLedger ledger, long number, long twin)
    {
        Handle(ledger, number);
        ledger.Sent(Message(twin, number), FuzzKind.Twin);
    }

    private static void Handle(FuzzLedger ledger, long number)
    {
        if (number != FuzzMark.None && ledger.Published[number] == 0)
        {
            ledger.Sent(Message(number), FuzzKind.Plain);
        }

        ledger.Take(new Entry(0, 0, Kind.End, number));
    }

    private static void AddDeadLetter(FuzzLedger ledger, long number)
    {
        ledger.Sent(Message(number), FuzzKind.Plain);
        ledger.AddDeadLetter(number, DeadLetterReason.Unreadable, "The field 'type' is not an event name.");
    }

    private static void Tick(FuzzLedger ledger, TimeSpan wait)
    {
        ledger.TickSent(0);
        ledger.Take(new Entry(
            System.Diagnostics.Stopwatch.GetTimestamp() + (long)(wait.TotalSeconds * System.Diagnostics.Stopwatch.Frequency),
            0,
            Kind.Tick,
            0));
    }
}
