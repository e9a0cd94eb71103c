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
        var server = await InfoAsync("server");
        var reported = server?.GetValueOrDefault("redis_version") ?? await GreetingAsync();
        if (!Version.TryParse(reported, out var version))
        {
            log.NotChecked($"whether its version is {Oldest} or later", "INFO and HELLO");
        }
        else if (version < Oldest)
        {
            throw new EventBusException($"The Redis at the address given to {call} has version {version}; at least {Oldest} is needed.");
        }

        var persistence = await InfoAsync("persistence");
        var appendOnly = persistence?.GetValueOrDefault("aof_enabled");
        if (appendOnly is null)
        {
            log.NotChecked("whether Redis stores accepted events on disk (appendonly)", "INFO");
        }
        else if (appendOnly == "0")
        {
            log.NoAppendOnlyFile();
        }
    }

    /// <summary>Gets the values of a section of INFO by their names; null if the user has no right to INFO.</summary>
    private async Task<Dictionary<string, string>?> InfoAsync(string section)
    {
        var answer = await AskAsync("INFO", section);
        return answer is null
            ? null
            : ((string?)answer ?? "").Split('\n')
                .Select(line => line.Trim().Split(':', 2))
                .Where(pair => pair.Length == 2)
                .ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
    }

    /// <summary>
    /// Gets the version from the answer to HELLO, which alternates names and values; null if there is none.
    /// </summary>
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
