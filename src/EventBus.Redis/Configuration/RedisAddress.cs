using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Names a Redis in log entries and errors, without a user or a password.</summary>
/// <param name="Call">The call that provided the configuration: <c>bus.UseRedis(...)</c>.</param>
/// <param name="Name">The hosts and ports, or a description if they are not known.</param>
internal sealed record RedisAddress(string Call, string Name)
{
    /// <summary>Stands for an address that is not known.</summary>
    public static readonly RedisAddress Unknown = new("", "an unknown address");

    private const int MaxEndPoints = 3;
    private const int MaxCauseLength = 200;
    private const int MaxInnerExceptions = 16;

    public override string ToString() => Name;

    /// <summary>Names the endpoints of a configuration.</summary>
    public static RedisAddress Of(ConfigurationOptions configuration, string call) => Of(configuration, [.. configuration.EndPoints], call);

    /// <summary>Names some endpoints of a configuration, in their order.</summary>
    public static RedisAddress Of(ConfigurationOptions configuration, IReadOnlyCollection<EndPoint> endPoints, string call)
    {
        if (endPoints.Count == 0)
        {
            return new RedisAddress(call, $"the address given to {call}");
        }

        var defaultPort = configuration.ServiceName is not null ? 26379 : configuration.Ssl ? 6380 : 6379;
        var names = string.Join(',', endPoints.Take(MaxEndPoints).Select(endPoint => NameOf(endPoint, defaultPort)));
        var others = endPoints.Count > MaxEndPoints ? $" and {endPoints.Count - MaxEndPoints} others" : "";
        return new RedisAddress(
            call,
            configuration.ServiceName is { } service ? $"the sentinels {names}{others} (service {service})" : $"{names}{others}");
    }

    /// <summary>
    /// Returns an exception that names the address and the cause instead of one that says that Redis is unreachable or
    /// does not answer; of the same kind, so that it is classified alike. Returns other exceptions unchanged.
    /// </summary>
    public Exception Explain(Exception exception) => exception switch
    {
        RedisConnectionException { FailureType: not ConnectionFailureType.AuthenticationFailure } lost => new RedisConnectionException(
            lost.FailureType,
            CommandFlags.None,
            $"Redis at {Name} is out of reach: {CauseOf(lost)}.",
            lost,
            lost.CommandStatus),
        TimeoutException => new TimeoutException($"Redis at {Name} did not answer in time.", exception),
        _ => exception,
    };

    /// <summary>
    /// Returns the innermost reason as one line without a period. The texts of the client are left out: they are long,
    /// and quote the connection string.
    /// </summary>
    public static string CauseOf(Exception exception)
    {
        string? cause = null;
        var next = exception;
        for (var i = 0; i < MaxInnerExceptions && next is not null; i++)
        {
            cause = next switch
            {
                // An attempt that was given up says nothing about the server.
                SocketException { SocketErrorCode: SocketError.OperationAborted } => cause,
                SocketException or IOException or AuthenticationException or RedisServerException => next.Message,
                RedisConnectionException { FailureType: var type } when cause is null => TextOf(type),
                TimeoutException when cause is null => "no answer in time",
                _ => cause,
            };
            next = next is AggregateException { InnerExceptions: [var first, ..] } ? first : next.InnerException;
        }

        var line = (cause ?? exception.GetType().Name).Split('\r', '\n')[0];
        return (line.Length > MaxCauseLength ? line[..MaxCauseLength] : line).TrimEnd('.');
    }

    private static string TextOf(ConnectionFailureType type) => type switch
    {
        ConnectionFailureType.UnableToResolvePhysicalConnection or ConnectionFailureType.UnableToConnect =>
            "no connection could be opened",
        ConnectionFailureType.AuthenticationFailure => "the user or the password was not accepted",
        ConnectionFailureType.SocketClosed or ConnectionFailureType.SocketFailure or ConnectionFailureType.ConnectionDisposed =>
            "the connection was closed",
        _ => $"the connection failed ({type})",
    };

    private static string NameOf(EndPoint endPoint, int defaultPort) => endPoint switch
    {
        DnsEndPoint dns => $"{dns.Host}:{(dns.Port == 0 ? defaultPort : dns.Port)}",
        IPEndPoint ip => new IPEndPoint(ip.Address, ip.Port == 0 ? defaultPort : ip.Port).ToString(),
        _ => endPoint.ToString() ?? "",
    };
}
