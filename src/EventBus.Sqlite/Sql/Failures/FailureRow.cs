using System.Data.Common;
using EventBus.Stores;

namespace EventBus;

/// <summary>The columns of a stored entry that are needed to change it.</summary>
internal sealed record FailureRow(
    long Seq,
    string Subscription,
    string EventId,
    FailedEventStatus Status,
    long Claim,
    string? LineKey,
    string? OrderKey,
    long? Position,
    DeadLetterReason Reason,
    long Number)
{
    public const string Columns = "seq, subscription, event_id, status, claim, line_key, order_key, position, reason, number";

    public static FailureRow Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        return new FailureRow(
            row.Number(),
            row.Text(),
            row.Text(),
            row.EnumOr(FailedEventStatus.Waiting),
            row.Number(),
            row.TextOrNull(),
            row.TextOrNull(),
            row.NumberOrNull(),
            row.EnumOr(DeadLetterReason.Unreadable),
            row.Number());
    }

    /// <summary>
    /// Gets the column <c>turn</c> of an entry that is the first of its line; null for a dead letter, which is never
    /// claimed.
    /// </summary>
    public static long? TurnOf(FailedEvent entry)
    {
        if (entry.Status == FailedEventStatus.Dead)
        {
            return null;
        }

        // A parked entry waits only for the entries before it: as the first of its line it may be claimed at once (0).
        var isParked = entry.Status == FailedEventStatus.Parked && entry.LineKey is not null;
        return isParked ? 0 : entry.DueAt.UtcTicks;
    }
}
