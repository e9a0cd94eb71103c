using System.Globalization;
using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Determines the maximum length of one argument of a command. If an argument is longer, Redis closes the connection,
/// and all other commands on it fail too.
/// </summary>
internal static class RedisArgumentLimit
{
    /// <summary>The limit that is assumed if the server does not report it.</summary>
    public const long Usual = 512 * 1024 * 1024;

    /// <summary>
    /// The smallest value to which the limit (proto-max-bulk-len) can be set. A shorter argument does not have to be
    /// compared with the limit.
    /// </summary>
    public const long Smallest = 1024 * 1024;

    /// <summary>Asks for the maximum length of an argument. It can change while the server runs.</summary>
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
            // The user may not run CONFIG, or the client does not allow it, because it is an admin command.
            return Usual;
        }
    }
}
