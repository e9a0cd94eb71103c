using StackExchange.Redis;

namespace EventBus;

/// <summary>What Redis means when it refuses a command.</summary>
internal static class RedisErrors
{
    /// <summary>A key holds something else than the command works on.</summary>
    public static bool IsWrongType(Exception exception) => exception is RedisServerException && exception.Message.Contains("WRONGTYPE", StringComparison.Ordinal);

    /// <summary>A group or its stream is not there: the reading makes it again.</summary>
    public static bool IsGone(Exception exception) => exception is RedisServerException && (exception.Message.Contains("NOGROUP", StringComparison.Ordinal) || exception.Message.Contains("no such key", StringComparison.Ordinal));

    /// <summary>The user may run the command, and has no right to a key.</summary>
    public static bool IsKeyDenied(Exception exception) => IsDenied(exception) && exception.Message.Contains("to access", StringComparison.Ordinal);

    /// <summary>The user has no right to a command or to a key.</summary>
    public static bool IsDenied(Exception exception) => exception is RedisServerException && exception.Message.Contains("NOPERM", StringComparison.Ordinal);

    /// <summary>Trying the command again cannot help, until somebody changes the rights or the key: nothing has happened. Whatever else Redis answers may pass: that it is loading, busy, a replica, or short of memory.</summary>
    public static bool IsForGood(Exception exception) => IsWrongType(exception) || IsDenied(exception) || RedisConnector.IsRefusal(exception)
        || (exception is RedisServerException && (exception.Message.StartsWith("ERR unknown command", StringComparison.Ordinal) || exception.Message.Contains("too large", StringComparison.Ordinal)));

    /// <summary>A transaction was discarded, because one of its commands was refused; which, the client does not say.</summary>
    public static bool IsDiscarded(Exception? exception) => exception is RedisServerException && exception.Message.StartsWith("EXECABORT", StringComparison.Ordinal);

    /// <summary>It is the beginning or the end of a transaction that was refused: what should have been in it may have been carried out all the same.</summary>
    public static bool IsOfTransaction(Exception exception) =>
        exception is RedisServerException && (exception.Message.Contains("'exec'", StringComparison.OrdinalIgnoreCase) || exception.Message.Contains("'multi'", StringComparison.OrdinalIgnoreCase) || exception.Message.Contains("EXEC without MULTI", StringComparison.Ordinal));

    /// <summary>It concerns one key, and lasts until somebody changes that key or the rights to it.</summary>
    public static bool IsOfKey(Exception exception) => IsWrongType(exception) || IsKeyDenied(exception);

    /// <summary>Redis is out of reach, or does not answer: the reading and the health check say so.</summary>
    public static bool IsOutage(Exception exception) => exception is RedisConnectionException or TimeoutException or OperationCanceledException or ObjectDisposedException;
}
