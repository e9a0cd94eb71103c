using System.Data.Common;
using System.Text;

namespace EventBus;

/// <summary>
/// Reads the columns of a row in their order. A value of an unexpected type is recorded in <see cref="Defect"/> and
/// does not throw, so that one bad row does not hide the others.
/// </summary>
internal sealed class SqlRow(DbDataReader reader)
{
    private int next;

    /// <summary>Gets the first defect of the row; null if there is none.</summary>
    public string? Defect { get; private set; }

    public long Number() => NumberOrNull() ?? (long)Note(0L)!;

    public long? NumberOrNull() => Next() switch
    {
        long number => number,
        null => null,
        _ => (long)Note(0L)!,
    };

    /// <summary>
    /// Reads an enumeration value. An undefined value is recorded as a defect, and <paramref name="otherwise"/> is
    /// returned.
    /// </summary>
    public T Choice<T>(T otherwise)
        where T : struct, Enum
    {
        var value = (T)Enum.ToObject(typeof(T), (int)Math.Clamp(Number(), int.MinValue, int.MaxValue));
        return Enum.IsDefined(value) ? value : (T)Note(otherwise)!;
    }

    public int Count() => (int)Math.Clamp(Number(), 0, int.MaxValue);

    public DateTimeOffset Time() => TimeOrNull() ?? (DateTimeOffset)Note(DateTimeOffset.MinValue)!;

    public DateTimeOffset? TimeOrNull() => NumberOrNull() switch
    {
        null => null,
        >= 0 and <= 3_155_378_975_999_999_999 and var ticks => new DateTimeOffset(ticks, TimeSpan.Zero),
        _ => (DateTimeOffset)Note(DateTimeOffset.MinValue)!,
    };

    public string Text() => TextOrNull() ?? (string)Note("")!;

    public string? TextOrNull() => Next() switch
    {
        string text => text,
        null => null,
        _ => (string)Note("")!,
    };

    public byte[] Bytes() => BytesOrNull() ?? (byte[])Note(Array.Empty<byte>())!;

    public byte[]? BytesOrNull() => Next() switch
    {
        byte[] bytes => bytes,
        string text => Encoding.UTF8.GetBytes(text),
        null => null,
        _ => (byte[])Note(Array.Empty<byte>())!,
    };

    private object? Next() => reader.IsDBNull(next++) ? null : reader.GetValue(next - 1);

    private object Note(object instead)
    {
        Defect ??= $"The stored entry cannot be read: the value in the column '{reader.GetName(next - 1)}' is invalid "
            + $"({(reader.IsDBNull(next - 1) ? "NULL" : reader.GetValue(next - 1).GetType().Name)}).";
        return instead;
    }
}
