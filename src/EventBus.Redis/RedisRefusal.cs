using StackExchange.Redis;

namespace EventBus;

/// <summary>What Redis means when it refuses a command.</summary>
internal static class RedisRefusal
{
    /// <summary>A key holds something else than the command works on.</summary>
    public static bool IsWrongType(Exception exception) => exception is RedisServerException && exception.Message.Contains("WRONGTYPE", StringComparison.Ordinal);

    /// <summary>A group or its stream is not there: the reading makes it again.</summary>
    public static bool IsGone(Exception exception) => exception is RedisServerException && (exception.Message.Contains("NOGROUP", StringComparison.Ordinal) || exception.Message.Contains("no such key", StringComparison.Ordinal));

    /// <summary>The user may run the command, and has no right to a key.</summary>
    public static bool IsKeyDenied(Exception exception) => IsDenied(exception) && exception.Message.Contains("to access", StringComparison.Ordinal);

    /// <summary>The user has no right to a command or to a key.</summary>
    public static bool IsDenied(Exception exception) => exception is RedisServerException && exception.Message.Contains("NOPERM", StringComparison.Ordinal);

    /// <summary>It concerns one key, and lasts until somebody changes that key or the rights to it.</summary>
    public static bool IsOfKey(Exception exception) => IsWrongType(exception) || IsKeyDenied(exception);

    /// <summary>Redis is out of reach, or does not answer: the reading and the health check say so.</summary>
    public static bool IsOutage(Exception exception) => exception is RedisConnectionException or TimeoutException or OperationCanceledException or ObjectDisposedException;
}
