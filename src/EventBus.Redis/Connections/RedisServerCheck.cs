using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Checks the version and the persistence of a server. A check that only informs does not prevent the start: the user
/// may lack the right to it.
/// </summary>
/// <param name="connection">A connection that may run admin commands.</param>
/// <param name="call">The call that provided the configuration, for errors: <c>bus.UseRedis(...)</c>.</param>
/// <param name="log">The log for warnings.</param>
internal sealed class RedisServerCheck(IConnectionMultiplexer connection, string call, ILogger log)
{
    // Required for XAUTOCLAIM and trimming by id.
    private static readonly Version Oldest = new(6, 2);

    /// <summary>Runs the check.</summary>
    /// <exception cref="EventBusException">The server is too old.</exception>
    public async Task RunAsync()
    {
        if (!Version.TryParse((await InfoAsync("server"))?.GetValueOrDefault("redis_version") ?? await GreetingAsync(), out var version))
        {
            log.NotChecked($"whether its version is {Oldest} or later", "INFO and HELLO");
        }
        else if (version < Oldest)
        {
            throw new EventBusException($"The Redis at the address given to {call} is of version {version}; at least {Oldest} is needed.");
        }

        if ((await InfoAsync("persistence"))?.GetValueOrDefault("aof_enabled") is not { } kept)
        {
            log.NotChecked("whether Redis keeps what it accepts (appendonly)", "INFO");
        }
        else if (kept == "0")
        {
            log.NoAppendOnlyFile();
        }
    }

    private async Task<Dictionary<string, string>?> InfoAsync(string section) => await AskAsync("INFO", section) is not { } answer
        ? null
        : ((string?)answer ?? "").Split('\n')
            .Select(line => line.Trim().Split(':', 2))
            .Where(pair => pair.Length == 2)
            .ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);

    // The answer alternates names and values.
    private async Task<string?> GreetingAsync()
    {
        var answer = await AskAsync("HELLO");
        for (var i = 0; i + 1 < (answer?.Length ?? 0); i += 2)
        {
            if ((string?)answer![i] == "version")
            {
                return (string?)answer[i + 1];
            }
        }

        return null;
    }

    private async Task<RedisResult?> AskAsync(string command, params object[] arguments)
    {
        try
        {
            return await connection.GetDatabase().ExecuteAsync(command, arguments).WaitAsync(RedisConnector.Answer, TimeProvider.System);
        }
        catch (Exception exception) when (exception is RedisCommandException || RedisErrors.IsDenied(exception)
            || (exception is RedisServerException && exception.Message.StartsWith("ERR", StringComparison.Ordinal)))
        {
            return null;
        }
    }
}
