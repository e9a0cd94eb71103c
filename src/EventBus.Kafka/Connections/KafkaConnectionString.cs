using System.Globalization;

namespace EventBus;

/// <summary>Checks the addresses of brokers: <c>host:port</c>, separated by commas.</summary>
internal static class KafkaConnectionString
{
    private const int DefaultPort = 9_092;
    private const int MaxPort = 65_535;

    /// <summary>Parses a connection string.</summary>
    /// <returns>The addresses, each with its port, separated by commas.</returns>
    /// <exception cref="ArgumentException">
    /// The text is no list of addresses. The message does not contain the text, which may include a password.
    /// </exception>
    public static string Parse(string connectionString)
    {
        var addresses = connectionString.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return addresses.Length > 0
            ? string.Join(',', addresses.Select(ParseAddress))
            : throw Invalid();
    }

    private static string ParseAddress(string address)
    {
        // A colon inside brackets belongs to an address of IP version 6.
        var colon = address.LastIndexOf(':');
        var hasPort = colon > address.LastIndexOf(']');
        var host = hasPort ? address[..colon] : address;
        var port = DefaultPort;
        var isPort = !hasPort
            || (int.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port)
                && port is > 0 and <= MaxPort);
        var bare = host.StartsWith('[') && host.EndsWith(']') ? host[1..^1] : host;
        return isPort && Uri.CheckHostName(bare) != UriHostNameType.Unknown
            ? string.Create(CultureInfo.InvariantCulture, $"{host}:{port}")
            : throw Invalid();
    }

    private static ArgumentException Invalid() => new(
        "The Kafka connection string is no list of addresses. Its format is host:9092, or host1:9092,host2:9092 for several brokers. It "
            + "has no scheme, user, password or parameter: set these with KafkaOptions.ConfigureClient.",
        "connectionString");
}
