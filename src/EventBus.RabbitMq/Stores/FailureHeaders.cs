using System.Globalization;
using System.Text;

namespace EventBus;

/// <summary>
/// Reads the headers in which the bus describes a failure (<see cref="FailureHeaderNames"/>). A header that is missing
/// or invalid has the default value of its type.
/// </summary>
/// <param name="headers">The headers of the message; null for none.</param>
internal readonly struct FailureHeaders(IDictionary<string, object?>? headers)
{
    public string? Text(string name) => Value(name) is byte[] text ? Encoding.UTF8.GetString(text) : null;

    public long Number(string name) => Value(name) switch
    {
        int number => Math.Max(0, number),
        long number => Math.Max(0, number),
        byte[] text => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0,
        _ => 0,
    };

    public int Count(string name) => (int)Math.Min(int.MaxValue, Number(name));

    public DateTimeOffset Time(string name) =>
        DateTimeOffset.TryParse(Text(name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : default;

    private object? Value(string name) => headers?.TryGetValue(name, out var value) == true ? value : null;
}
