using System.Globalization;
using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Serializes the data of a saga other than its content as text: <c>status claim due alert keep-until changed
/// wait-key</c>, where a hyphen means null. Also creates the marks that index a saga; each mark ends in a slash.
/// </summary>
internal static class RedisSagaFormat
{
    private const long MaxNumber = 9_999_999_999_999_999;

    public static string Write(SagaEntry entry) => string.Join(
        ' ',
        ((int)entry.Status).ToString(CultureInfo.InvariantCulture),
        entry.Claim.ToString(CultureInfo.InvariantCulture),
        TimeOrNothing(entry.DueAt),
        TimeOrNothing(entry.AlertAt),
        TimeOrNothing(entry.KeepUntil),
        Time(entry.ChangedAt),
        entry.WaitKey is { } key ? $"={Escape(key)}" : "-");

    /// <summary>
    /// Returns the marks of a saga. An at sign stands for the name of the saga; the script replaces it with the stored
    /// name.
    /// </summary>
    public static IEnumerable<RedisValue> Marks(SagaEntry entry)
    {
        yield return "all/";
        yield return "saga/@/";
        yield return $"status/{(int)entry.Status}/";
        yield return $"both/{(int)entry.Status}/@/";
        if (entry.DueAt is { } due)
        {
            yield return $"due/@/{Time(due)}/";
        }

        if (entry.AlertAt is { } alert)
        {
            yield return $"{Alerts}{Time(alert)}/";
        }

        if (entry.KeepUntil is { } until)
        {
            yield return $"keep/{Time(until)}/";
        }

        if (entry.WaitKey is { } key)
        {
            yield return Waiting(key);
        }
    }

    /// <summary>The prefix of the marks of all alerts.</summary>
    public const string Alerts = "alert/";

    /// <summary>Returns the prefix of the marks of all due sagas with a name.</summary>
    public static string Due(string saga) => $"due/{Escape(saga)}/";

    public static string Waiting(string key) => $"wait/{Escape(key)}/";

    public static string Matching(SagaFilter filter) => filter switch
    {
        { Saga: { } saga, Status: { } status } => $"both/{(int)status}/{Escape(saga)}/",
        { Saga: { } saga } => $"saga/{Escape(saga)}/",
        { Status: { } status } => $"status/{(int)status}/",
        _ => "all/",
    };

    /// <summary>Writes a time as sortable text: ticks since the year 1, always 19 digits.</summary>
    public static string Time(DateTimeOffset time) => time.UtcTicks.ToString("D19", CultureInfo.InvariantCulture);

    public static string Number(long number) => Math.Clamp(number, 0, MaxNumber).ToString("D16", CultureInfo.InvariantCulture);

    /// <summary>Returns the id that follows the mark and the number in an index member.</summary>
    public static string IdOf(string member, string mark) => member[(mark.Length + 17)..];

    /// <summary>Reads a time from the reply of a script; returns null if there is none.</summary>
    public static DateTimeOffset? ReadTime(RedisResult time) => time.IsNull || !TryTime((string)time!, out var read) ? null : read;

    /// <summary>
    /// Reads a saga from a row: id, place, row, content, mark. Returns an entry with a defect if the saga cannot be
    /// read.
    /// </summary>
    public static SagaEntry Read(RedisResult saga)
    {
        var (id, place, row, content, mark) = ((string)saga[0]!, (string?)saga[1], (string?)saga[2], (byte[]?)saga[3], (string)saga[4]!);
        var entry = new SagaEntry
        {
            Id = id,
            Saga = "",
            Status = SagaStatus.NeedsAttention,
            StartedAt = DateTimeOffset.MinValue,
            ChangedAt = DateTimeOffset.MinValue,
            Content = ReadOnlyMemory<byte>.Empty
        };
        string? defect = null;
        if (!ReadPlace(ref entry, place, mark))
        {
            defect = "its place is invalid";
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

    private static bool ReadPlace(ref SagaEntry entry, string? place, string mark)
    {
        if (place?.Split(' ', 5) is [var version, var number, var started, var name, _]
            && TryNumber(version, out var v)
            && TryNumber(number, out var n)
            && TryTime(started, out var start))
        {
            entry = entry with { Version = v, Number = n, StartedAt = start, Saga = Uri.UnescapeDataString(name) };
            return true;
        }

        // The mark contains the name of the saga, which is needed to process the entry.
        if (mark.Split('/') is ["due", var due, ..])
        {
            entry = entry with { Saga = Uri.UnescapeDataString(due) };
        }

        return false;
    }

    private static bool ReadRow(ref SagaEntry entry, string row)
    {
        if (row.Split(' ') is not [var status, var claim, var due, var alert, var until, var changed, ['=', ..] or "-"] words
            || !Enum.TryParse<SagaStatus>(status, out var s) || !Enum.IsDefined(s) || !TryNumber(claim, out var c)
            || !TryTimeOrNothing(due, out var dueAt)
            || !TryTimeOrNothing(alert, out var alertAt)
            || !TryTimeOrNothing(until, out var keepUntil)
            || !TryTime(changed, out var changedAt))
        {
            return false;
        }

        entry = entry with
        {
            Status = s,
            Claim = c,
            DueAt = dueAt,
            AlertAt = alertAt,
            KeepUntil = keepUntil,
            ChangedAt = changedAt,
            WaitKey = words[6] == "-" ? null : Uri.UnescapeDataString(words[6][1..])
        };
        return true;
    }

    /// <summary>Escapes text, so that it contains no space, slash or at sign.</summary>
    public static string Escape(string text) => Uri.EscapeDataString(text);

    private static string TimeOrNothing(DateTimeOffset? time) => time is { } at ? Time(at) : "-";

    private static bool TryNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);

    private static bool TryTime(string text, out DateTimeOffset time)
    {
        var valid = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
            && ticks <= DateTimeOffset.MaxValue.UtcTicks;
        time = valid ? new DateTimeOffset(ticks, TimeSpan.Zero) : DateTimeOffset.MinValue;
        return valid;
    }

    private static bool TryTimeOrNothing(string text, out DateTimeOffset? time)
    {
        time = null;
        if (text != "-")
        {
            var valid = TryTime(text, out var at);
            time = valid ? at : null;
            return valid;
        }

        return true;
    }
}
