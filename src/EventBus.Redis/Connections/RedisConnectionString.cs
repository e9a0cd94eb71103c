using System.Net;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Parses a connection string: that of StackExchange.Redis, or an address as hosting platforms write it. No error
/// contains the text, which may include a password.
/// </summary>
internal static class RedisConnectionString
{
    private const string SchemeEnd = "://";
    private const char Separator = ',';

    /// <summary>Parses a connection string.</summary>
    /// <param name="text">The connection string.</param>
    /// <param name="call">The call without arguments, for errors: <c>bus.UseRedis</c>.</param>
    /// <returns>The configuration, and the address for log entries and errors.</returns>
    /// <exception cref="ArgumentException">The text is not a connection string for Redis.</exception>
    public static (ConfigurationOptions Configuration, RedisAddress Address) Parse(string text, string call)
    {
        var trimmed = text.Trim();
        var scheme = SchemeOf(trimmed);
        var configuration = scheme is null
            ? ParseOptions(trimmed)
            : RedisUri.Parse(scheme, trimmed[(scheme.Length + SchemeEnd.Length)..]);
        if (configuration is null)
        {
            throw new ArgumentException($"The connection string given to {call}(...) is not valid for Redis. Its format is "
                + "localhost:6379,user=...,password=...,ssl=true, where a password cannot contain a comma; or "
                + "redis://user:password@host:6379/0, with rediss:// for TLS, where %40 stands for an @, %2F for a / and %23 for a #; "
                + "or sentinel1:26379,sentinel2:26379,serviceName=... for sentinels.");
        }

        EndPoint[] endPoints = [.. configuration.EndPoints];
        var named = scheme is null ? Named(trimmed, endPoints) : endPoints;
        return (configuration, RedisAddress.Of(configuration, named, $"{call}(...)"));
    }

    /// <summary>Returns the scheme of an address, such as <c>redis</c>; null if the text has none.</summary>
    private static string? SchemeOf(string text)
    {
        var end = text.IndexOf(SchemeEnd, StringComparison.Ordinal);
        return end >= 0 && text.AsSpan(0, end).IndexOfAny(Separator, '=') < 0 ? text[..end] : null;
    }

    /// <summary>Parses the format of StackExchange.Redis; null if the text has another one.</summary>
    private static ConfigurationOptions? ParseOptions(string text)
    {
        try
        {
            var configuration = ConfigurationOptions.Parse(text);
            return configuration.EndPoints.Count > 0 && configuration.EndPoints.All(IsHost) ? configuration : null;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
        {
            // The exception is not reported: it quotes the part that could not be parsed, which may be of a password.
            return null;
        }
    }

    // The client accepts any text as a host, also the address of another client.
    private static bool IsHost(EndPoint endPoint) =>
        endPoint is not DnsEndPoint dns || dns.Host.All(c => char.IsLetterOrDigit(c) || c is '.' or '-' or '_');

    /// <summary>
    /// Returns the endpoints that may be named. What follows a password after a comma may be the rest of it, which the
    /// client takes for a host.
    /// </summary>
    private static IReadOnlyCollection<EndPoint> Named(string text, EndPoint[] endPoints)
    {
        var named = new List<EndPoint>();
        var isAfterSecret = false;
        var count = 0;
        foreach (var part in text.Split(Separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals >= 0)
            {
                isAfterSecret = part.AsSpan(0, equals).Contains("pass", StringComparison.OrdinalIgnoreCase);
            }
            else if (part[0] != '$' && count < endPoints.Length)
            {
                if (!isAfterSecret)
                {
                    named.Add(endPoints[count]);
                }

                count++;
            }
        }

        return named;
    }
}
