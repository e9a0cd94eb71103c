using System.Data.Common;
using EventBus.Stores;

namespace EventBus;

/// <summary>Converts a saga to and from its columns.</summary>
internal static class SagaRow
{
    /// <summary>The columns except the content, in the order in which they are read.</summary>
    public const string Columns =
        "id, saga, status, version, number, claim, due_at, alert_at, wait_key, started_at, changed_at, keep_until";

    /// <summary>Sets the parameters of a statement that writes the columns which every save writes.</summary>
    /// <param name="statement">The statement.</param>
    /// <param name="entry">The saga.</param>
    /// <param name="content">The content; null to leave the stored one unchanged.</param>
    public static SqlStatement Write(SqlStatement statement, SagaEntry entry, byte[]? content) => statement
        .Set("@id", entry.Id)
        .Set("@status", (long)entry.Status)
        .Set("@claim", entry.Claim)
        .Set("@due", entry.DueAt)
        .Set("@alert", entry.AlertAt)
        .Set("@wait", entry.WaitKey)
        .Set("@changed", entry.ChangedAt)
        .Set("@keep", entry.KeepUntil)
        .Set("@content", content);

    /// <summary>Reads a saga; returns one with a defect if it cannot be read.</summary>
    public static SagaEntry Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        var entry = new SagaEntry
        {
            Id = row.Text(),
            Saga = row.Text(),
            Status = row.EnumOr(SagaStatus.NeedsAttention),
            Version = row.Number(),
            Number = row.Number(),
            Claim = row.Number(),
            DueAt = row.TimeOrNull(),
            AlertAt = row.TimeOrNull(),
            WaitKey = row.TextOrNull(),
            StartedAt = row.Time(),
            ChangedAt = row.Time(),
            KeepUntil = row.TimeOrNull(),
            Content = row.Bytes(),
        };
        return row.Defect is { } defect ? entry with { Content = ReadOnlyMemory<byte>.Empty, Defect = defect } : entry;
    }
}
