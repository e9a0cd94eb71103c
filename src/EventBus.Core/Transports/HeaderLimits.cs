using System.Text;

namespace EventBus.Transports;

/// <summary>Limits the headers that a user sets: their number, and their size in total.</summary>
internal static class HeaderLimits
{
    /// <summary>The maximum number of headers.</summary>
    public const int MaxHeaders = 64;

    /// <summary>The maximum size of all names and values together, as UTF-8.</summary>
    public const int MaxBytes = 64 * 1024;

    // One UTF-16 character needs at most three bytes of UTF-8.
    private const int MaxBytesPerChar = 3;

    /// <summary>Returns the headers within the limits: all, or the first that fit.</summary>
    /// <param name="headers">The headers.</param>
    /// <param name="problem">Describes which limit the headers exceed; null if they exceed none.</param>
    public static IReadOnlyDictionary<string, string> Fit(IReadOnlyDictionary<string, string> headers, out string? problem)
    {
        problem = null;

        // Most headers have so few characters that their bytes need not be counted.
        var characters = 0L;
        foreach (var (name, value) in headers)
        {
            characters += name.Length + value.Length;
        }

        if (headers.Count <= MaxHeaders && characters <= MaxBytes / MaxBytesPerChar)
        {
            return headers;
        }

        var bytes = 0L;
        var fitting = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in headers)
        {
            bytes += Encoding.UTF8.GetByteCount(name) + Encoding.UTF8.GetByteCount(value);
            if (bytes <= MaxBytes && fitting.Count < MaxHeaders)
            {
                fitting.Add(name, value);
            }
        }

        if (headers.Count > MaxHeaders)
        {
            problem = $"The event has {headers.Count:N0} headers; at most {MaxHeaders} are read.";
        }
        else if (bytes > MaxBytes)
        {
            problem = $"The headers have {bytes:N0} bytes as UTF-8, names and values together; at most {MaxBytes:N0} are read.";
        }

        return problem is null ? headers : fitting;
    }
}
