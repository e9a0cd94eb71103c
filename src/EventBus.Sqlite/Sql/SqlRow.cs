using System.Data.Common;
using System.Text;

namespace EventBus;

/// <summary>
/// Reads the columns of a row in their order. A value of an unexpected type is recorded in <see cref="Defect"/> and
/// does not throw, so that one bad row does not hide the others.
/// </summary>
internal sealed class SqlRow(DbDataReader reader)
{
    /// <summary>The largest number of ticks that <see cref="DateTimeOffset"/> can hold.</summary>
    public const long MaxTicks = 3_155_378_975_999_999_999;

    private int column = -1;

    /// <summary>Gets the first defect of the row; null if there is none.</summary>
    public string? Defect { get; private set; }

    public long Number() => NumberOrNull() ?? Invalid(0L);

    public long? NumberOrNull() => Next() switch
    {
        long number => number,
        null => null,
        _ => Invalid(0L),
    };

    /// <summary>
    /// Reads an enumeration value. Records a defect, and returns <paramref name="replacement"/>, for a number that the
    /// enumeration does not define. NULL is read as 0, and is recorded as a defect too.
    /// </summary>
    public T EnumOr<T>(T replacement)
        where T : struct, Enum
    {
        // A number outside the range of int becomes a limit of the range, which no enumeration defines.
        var number = (int)Math.Clamp(Number(), int.MinValue, int.MaxValue);
        var value = (T)Enum.ToObject(typeof(T), number);
        return Enum.IsDefined(value) ? value : Invalid(replacement);
    }

    /// <summary>
    /// Reads a number from 0 to <see cref="int.MaxValue"/>. A number outside the range becomes the nearer limit.
    /// </summary>
    public int NonNegativeInt() => (int)Math.Clamp(Number(), 0, int.MaxValue);

    public DateTimeOffset Time() => TimeOrNull() ?? Invalid(DateTimeOffset.MinValue);

    public DateTimeOffset? TimeOrNull() => NumberOrNull() switch
    {
        null => null,
        >= 0 and <= MaxTicks and var ticks => new DateTimeOffset(ticks, TimeSpan.Zero),
        _ => Invalid(DateTimeOffset.MinValue),
    };

    public string Text() => TextOrNull() ?? Invalid("");

    public string? TextOrNull() => Next() switch
    {
        string text => text,
        null => null,
        _ => Invalid(""),
    };

    public byte[] Bytes() => BytesOrNull() ?? Invalid(Array.Empty<byte>());

    /// <summary>
    /// Reads bytes. Text is read as UTF-8, because an SQL tool writes text when an operator edits a row by hand.
    /// </summary>
    public byte[]? BytesOrNull() => Next() switch
    {
        byte[] bytes => bytes,
        string text => Encoding.UTF8.GetBytes(text),
        null => null,
        _ => Invalid(Array.Empty<byte>()),
    };

    /// <summary>Moves to the next column and returns its value; null for NULL.</summary>
    private object? Next()
    {
        column++;
        return reader.IsDBNull(column) ? null : reader.GetValue(column);
    }

    /// <summary>Records a defect of the column that was just read, and returns a replacement for its value.</summary>
    private T Invalid<T>(T replacement)
    {
        var found = reader.IsDBNull(column) ? "NULL" : reader.GetValue(column).GetType().Name;
        Defect ??= $"The stored entry cannot be read: the value in the column '{reader.GetName(column)}' is invalid ({found}).";
        return replacement;
    }
}
