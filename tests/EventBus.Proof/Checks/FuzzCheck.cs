namespace EventBus.Proof;

/// <summary>
/// Every fuzz message was handled or is one dead letter, and nothing else came; a third at least passed the first
/// check; the healthy subscription never waited.
/// </summary>
internal static class FuzzCheck
{
    private const double LeastRead = 1.0 / 3;

    public static void Run(Findings findings, FuzzLedger ledger, TimeSpan longestWait)
    {
        findings.Note(
            "messages by kind",
            string.Join("  ", ledger.Kinds.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key}: {pair.Value:N0}")));
        findings.Note("handled", ledger.Handled.Sum());
        findings.Note(
            "dead letters",
            string.Join("  ", ledger.Reasons.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key}: {pair.Value:N0}")));
        findings.Note("refused by the broker itself", ledger.Refused);
        findings.Demand(ledger.ReadShare >= LeastRead, "passed the first check", $"{ledger.ReadShare:P1}, at least {LeastRead:P1}");
        findings.None("lost", ledger.Lost());
        findings.Note("share the dead letter of their id", ledger.Numbers().Count(ledger.SharesADeadLetter));

        // A copy is the same message for the failure store: it may be handled as often as it was published, and is at
        // least one dead letter.
        findings.None(
            "twice",
            ledger.Numbers().Where(number => ledger.Handled[number] + ledger.Dead[number] > Math.Max(1, ledger.Published[number])));
        findings.None(
            "handled and dead",
            ledger.Numbers().Where(number => ledger.Published[number] == 1 && ledger.Handled[number] > 0 && ledger.Dead[number] > 0));
        findings.None(
            "handled, though its handler fails",
            ledger.Numbers().Where(number => ledger.Handled[number] > 0 && FuzzLedger.Fails(number)));
        findings.None("follow-ups that are missing", ledger.Numbers()
            .Where(number => ledger.Handled[number] > 0 && ledger.FollowedUp[number] == 0 && FuzzLedger.HasFollowUp(number)));
        findings.None(
            "follow-ups too many",
            ledger.Numbers().Where(number => ledger.FollowedUp[number] > (FuzzLedger.HasFollowUp(number) ? ledger.Handled[number] : 0)));
        findings.None("unexpected", ledger.Unknown);
        findings.Exactly("ticks that were lost", 0, ledger.TicksMissing);
        findings.Demand(
            ledger.LongestWait <= longestWait,
            "longest wait of a tick",
            $"{ledger.LongestWait.TotalSeconds:0.000} s of {ledger.Ticks:N0} ticks, at most {longestWait.TotalSeconds:0.000} s");
    }
}
