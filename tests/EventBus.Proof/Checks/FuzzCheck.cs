namespace EventBus.Proof;

/// <summary>
/// Checks that each fuzz message was handled or is one dead letter, and that no other event arrived; that at least a
/// third passed the first check; and that the healthy subscription never waited.
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

        // The failure store treats a copy as the same message: it may be handled as often as it was published, and must
        // be at least one dead letter.
        findings.None(
            "twice",
            ledger.Numbers().Where(number => ledger.Handled[number] + ledger.Dead[number] > Math.Max(1, ledger.Published[number])));
        findings.None(
            "handled and dead",
            ledger.Numbers().Where(number => ledger.Published[number] == 1 && ledger.Handled[number] > 0 && ledger.Dead[number] > 0));
        findings.None(
            "handled although the handler fails",
            ledger.Numbers().Where(number => ledger.Handled[number] > 0 && FuzzLedger.Fails(number)));
        findings.None("missing follow-up events", ledger.Numbers()
            .Where(number => ledger.Handled[number] > 0 && ledger.FollowedUp[number] == 0 && FuzzLedger.HasFollowUp(number)));
        findings.None(
            "too many follow-up events",
            ledger.Numbers().Where(number => ledger.FollowedUp[number] > (FuzzLedger.HasFollowUp(number) ? ledger.Handled[number] : 0)));
        findings.None("unexpected", ledger.Unknown);
        findings.Exactly("lost ticks", 0, ledger.TicksMissing);
        findings.Demand(
            ledger.LongestWait <= longestWait,
            "longest wait of a tick",
            $"{ledger.LongestWait.TotalSeconds:0.000} s of {ledger.Ticks:N0} ticks, at most {longestWait.TotalSeconds:0.000} s");
    }
}
