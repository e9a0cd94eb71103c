using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Checks the version, the persistence and the eviction of keys of a server. Only a version that is too old is an
/// error. A server without persistence or with eviction, and a check that is not possible, are logged.
/// </summary>
/// <param name="connection">A connection that may run admin commands.</param>
/// <param name="address">The address of the server.</param>
/// <param name="log">The log for warnings.</param>
internal sealed class RedisServerCheck(IConnectionMultiplexer connection, RedisAddress address, ILogger log)
{
    // The first version with XAUTOCLAIM and trimming by id.
    private static readonly Version MinVersion = new(6, 2);

    /// <summary>Runs the check.</summary>
    /// <exception cref="EventBusException">The server is too old.</exception>
    public async Task RunAsync()
    {
        var server = await InfoAsync("server");
        var reported = server?.GetValueOrDefault("redis_version") ?? await HelloVersionAsync();
        if (!Version.TryParse(reported, out var version))
        {
            log.NotChecked($"whether the version of Redis is {MinVersion} or later", "INFO and HELLO");
        }
        else if (version < MinVersion)
        {
            throw new EventBusException(
                $"The Redis at {address} (given to {address.Call}) has version {version}; at least {MinVersion} is needed.");
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

        await CheckEvictionAsync();
    }

    /// <summary>Warns if Redis may remove keys of the bus when its memory is full.</summary>
    private async Task CheckEvictionAsync()
    {
        // CONFIG would answer too, and is often not permitted.
        var memory = await InfoAsync("memory");
        var policy = memory?.GetValueOrDefault("maxmemory_policy");
        if (policy is not (null or "" or "noeviction"))
        {
            log.EvictsKeys(address.Name, policy, memory!.GetValueOrDefault("maxmemory") ?? "0");
        }
    }

    /// <summary>Gets the values of a section of INFO by their names; null if INFO gives no answer.</summary>
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
    private async Task<string?> HelloVersionAsync()
    {
        var answer = await AskAsync("HELLO");
        if (answer is null)
        {
            return null;
        }

        for (var i = 0; i + 1 < answer.Length; i += 2)
        {
            if ((string?)answer[i] == "version")
            {
                return (string?)answer[i + 1];
            }
        }

        return null;
    }

    /// <summary>Runs a command; null if it is not permitted, not supported, or not sent by the client.</summary>
    private async Task<RedisResult?> AskAsync(string command, params object[] arguments)
    {
        try
        {
            return await connection.GetDatabase().ExecuteAsync(command, arguments)
                .WaitAsync(RedisConnector.CommandTimeout, TimeProvider.System);
        }
        catch (Exception exception) when (exception is RedisCommandException || RedisErrors.IsDenied(exception)
            || (exception is RedisServerException && exception.Message.StartsWith("ERR", StringComparison.Ordinal)))
        {
            return null;
        }
    }
}
