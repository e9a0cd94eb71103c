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
    DeadLetterReason Reason)
{
    public const string Columns = "seq, subscription, event_id, status, claim, line_key, order_key, position, reason";

    public static FailureRow Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        return new FailureRow(
            row.Number(),
            row.Text(),
            row.Text(),
            row.Choice(FailedEventStatus.Waiting),
            row.Number(),
            row.TextOrNull(),
            row.TextOrNull(),
            row.NumberOrNull(),
            row.Choice(DeadLetterReason.Unreadable));
    }
}
