using System.Globalization;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Parses an address as hosting platforms write it: <c>redis://user:password@host:6379/0</c>, or <c>rediss://</c> for
/// TLS.
/// </summary>
internal static class RedisUri
{
    private const int DefaultPort = 6379;
    private const char Separator = ',';

    /// <summary>Parses an address.</summary>
    /// <param name="scheme">The text before <c>://</c>.</param>
    /// <param name="rest">The text after it.</param>
    /// <returns>The configuration; null if it is not certain what the address means.</returns>
    public static ConfigurationOptions? Parse(string scheme, string rest)
    {
        var isTls = scheme.Equals("rediss", StringComparison.OrdinalIgnoreCase);
        if (!isTls && !scheme.Equals("redis", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var end = rest.AsSpan().IndexOfAny('/', '?', '#');
        var (authority, path) = end < 0 ? (rest, "") : (rest[..end], rest[end..]);
        var at = authority.LastIndexOf('@');

        // An @ behind the host belongs to a password with a character that must be escaped.
        if (path.Contains('@', StringComparison.Ordinal) || !TryReadDatabase(path, out var database))
        {
            return null;
        }

        var configuration = new ConfigurationOptions { Ssl = isTls, DefaultDatabase = database };
        return (at < 0 || TryReadUser(authority[..at], configuration)) && TryReadHost(authority[(at + 1)..], configuration)
            ? configuration
            : null;
    }

    /// <summary>
    /// Reads <c>user:password</c> or <c>:password</c>. Clients differ in what a text without a colon means, unless it
    /// is empty: then there is neither a user nor a password, as in <c>:</c>.
    /// </summary>
    private static bool TryReadUser(string text, ConfigurationOptions configuration)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0)
        {
            return text.Length == 0;
        }

        configuration.User = colon == 0 ? null : Uri.UnescapeDataString(text[..colon]);
        configuration.Password = colon == text.Length - 1 ? null : Uri.UnescapeDataString(text[(colon + 1)..]);
        return true;
    }

    private static bool TryReadHost(string text, ConfigurationOptions configuration)
    {
        // An IPv6 address stands in brackets.
        var hostEnd = text.StartsWith('[') ? text.IndexOf(']', StringComparison.Ordinal) + 1 : text.IndexOf(':', StringComparison.Ordinal);
        var (host, port) = hostEnd < 0 ? (text, "") : (text[..hostEnd], text[hostEnd..]);
        var number = DefaultPort;
        if (port.Length > 0 && (port[0] != ':' || !TryReadNumber(port[1..], ushort.MaxValue, out number) || number == 0))
        {
            return false;
        }

        host = host.Trim('[', ']');
        if (host.Contains(Separator, StringComparison.Ordinal) || Uri.CheckHostName(host) == UriHostNameType.Unknown)
        {
            return false;
        }

        configuration.EndPoints.Add(host, number);
        return true;
    }

    /// <summary>Reads the number of the database from <c>/0</c> or <c>?db=0</c>; null if there is none.</summary>
    private static bool TryReadDatabase(string text, out int? database)
    {
        database = null;
        var query = text.IndexOf('?', StringComparison.Ordinal);
        var path = (query < 0 ? text : text[..query]).TrimStart('/');
        if (path.Length > 0 && !TryRead(path, ref database))
        {
            return false;
        }

        if (query < 0 || query == text.Length - 1)
        {
            return true;
        }

        var value = text[(query + 1)..];
        return value.StartsWith("db=", StringComparison.OrdinalIgnoreCase) && TryRead(value[3..], ref database);

        static bool TryRead(string digits, ref int? found)
        {
            if (!TryReadNumber(digits, int.MaxValue, out var number) || (found ?? number) != number)
            {
                return false;
            }

            found = number;
            return true;
        }
    }

    private static bool TryReadNumber(string text, int max, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number <= max;
}
