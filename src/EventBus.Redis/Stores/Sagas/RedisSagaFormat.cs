using System.Globalization;
using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Serializes the row of a saga, which is all its data except the content and the place: <c>status claim due alert
/// keep-until changed wait-key</c>, where a hyphen means null and an equals sign precedes the wait key.
/// </summary>
internal static class RedisSagaFormat
{
    public static string Write(SagaEntry entry) => string.Join(
        ' ',
        ((int)entry.Status).ToString(CultureInfo.InvariantCulture),
        entry.Claim.ToString(CultureInfo.InvariantCulture),
        TimeOrNothing(entry.DueAt),
        TimeOrNothing(entry.AlertAt),
        TimeOrNothing(entry.KeepUntil),
        Time(entry.ChangedAt),
        entry.WaitKey is { } key ? $"={Escape(key)}" : "-");

    /// <summary>Writes a time as sortable text: ticks since the year 1, always 19 digits.</summary>
    public static string Time(DateTimeOffset time) => time.UtcTicks.ToString("D19", CultureInfo.InvariantCulture);

    /// <summary>Escapes text, so that it contains no space, slash or at sign.</summary>
    public static string Escape(string text) => Uri.EscapeDataString(text);

    /// <summary>Reads a time from the reply of a script; returns null if there is none.</summary>
    public static DateTimeOffset? ReadTime(RedisResult time) => time.IsNull || !TryTime((string)time!, out var read) ? null : read;

    /// <summary>
    /// Reads a saga from an element of the reply of a script: id, place, row, content, mark. Returns an entry with a
    /// defect if the saga cannot be read.
    /// </summary>
    public static SagaEntry Read(RedisResult saga)
    {
        var place = (string?)saga[1];
        var row = (string?)saga[2];
        var content = (byte[]?)saga[3];
        var mark = (string)saga[4]!;
        var entry = new SagaEntry
        {
            Id = (string)saga[0]!,
            Saga = "",
            Status = SagaStatus.NeedsAttention,
            StartedAt = DateTimeOffset.MinValue,
            ChangedAt = DateTimeOffset.MinValue,
            Content = ReadOnlyMemory<byte>.Empty
        };
        string? defect = null;
        if (!ReadPlace(ref entry, place, mark))
        {
            defect = "its place in the index is invalid";
        }
        else if (row is null || !ReadRow(ref entry, row))
        {
            defect = "its row is invalid";
        }
        else if (content is null)
        {
            defect = "its content is missing";
        }

        return defect is null ? entry with { Content = content } : entry with { Defect = $"The stored saga cannot be read: {defect}." };
    }

    /// <summary>Reads the place into the entry. Returns false if the place cannot be read.</summary>
    private static bool ReadPlace(ref SagaEntry entry, string? place, string mark)
    {
        if (place?.Split(' ', 5) is [var versionText, var numberText, var startText, var name, _]
            && TryNumber(versionText, out var version)
            && TryNumber(numberText, out var number)
            && TryTime(startText, out var start))
        {
            entry = entry with { Version = version, Number = number, StartedAt = start, Saga = Uri.UnescapeDataString(name) };
            return true;
        }

        // The saga cannot be processed without its name. The mark of a due saga contains the name too.
        if (mark.Split('/') is ["due", var nameInMark, ..])
        {
            entry = entry with { Saga = Uri.UnescapeDataString(nameInMark) };
        }

        return false;
    }

    /// <summary>Reads the row into the entry. Returns false if the row cannot be read.</summary>
    private static bool ReadRow(ref SagaEntry entry, string row)
    {
        var words = row.Split(' ');
        if (words.Length != 7
            || !Enum.TryParse<SagaStatus>(words[0], out var status)
            || !Enum.IsDefined(status)
            || !TryNumber(words[1], out var claim)
            || !TryTimeOrNothing(words[2], out var dueAt)
            || !TryTimeOrNothing(words[3], out var alertAt)
            || !TryTimeOrNothing(words[4], out var keepUntil)
            || !TryTime(words[5], out var changedAt)
            || !TryWaitKey(words[6], out var waitKey))
        {
            return false;
        }

        entry = entry with
        {
            Status = status,
            Claim = claim,
            DueAt = dueAt,
            AlertAt = alertAt,
            KeepUntil = keepUntil,
            ChangedAt = changedAt,
            WaitKey = waitKey,
        };
        return true;
    }

    private static bool TryWaitKey(string text, out string? waitKey)
    {
        var hasKey = text.StartsWith('=');
        waitKey = hasKey ? Uri.UnescapeDataString(text[1..]) : null;
        return hasKey || text == "-";
    }

    private static string TimeOrNothing(DateTimeOffset? time) => time is { } value ? Time(value) : "-";

    private static bool TryNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);

    private static bool TryTime(string text, out DateTimeOffset time)
    {
        var isValid = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
            && ticks <= DateTimeOffset.MaxValue.UtcTicks;
        time = isValid ? new DateTimeOffset(ticks, TimeSpan.Zero) : DateTimeOffset.MinValue;
        return isValid;
    }

    private static bool TryTimeOrNothing(string text, out DateTimeOffset? time)
    {
        if (text == "-")
        {
            time = null;
            return true;
        }

        var isValid = TryTime(text, out var parsed);
        time = isValid ? parsed : null;
        return isValid;
    }
}
