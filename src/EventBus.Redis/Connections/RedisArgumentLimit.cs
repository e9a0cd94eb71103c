using System.Globalization;
using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>How long one argument may be. Redis cuts the connection over a longer one, and with it everything else that goes over it.</summary>
internal static class RedisArgumentLimit
{
    /// <summary>The limit where the server does not say.</summary>
    public const long Usual = 512 * 1024 * 1024;

    // Redis allows no smaller limit (proto-max-bulk-len).
    private const long Smallest = 1024 * 1024;

    /// <summary>Whether a length has to be compared with the limit at all.</summary>
    public static bool IsNear(long length) => length >= Smallest;

    /// <summary>The longest argument that the server reads. It can be set while the server runs.</summary>
    /// <param name="config">Runs <c>CONFIG</c> with arguments.</param>
    public static async Task<long> AskAsync(Func<object[], Task<RedisResult>> config)
    {
        try
        {
            var answer = await config(["GET", "proto-max-bulk-len"]);
            return answer.Length == 2 && long.TryParse((string?)answer[1], CultureInfo.InvariantCulture, out var limit) ? limit : Usual;
        }
        catch (Exception exception) when (exception is RedisServerException or RedisCommandException or StoreRefusedException)
        {
            // The user may not ask, or the client does not: CONFIG is an administrator's command.
            return Usual;
        }
    }
}
