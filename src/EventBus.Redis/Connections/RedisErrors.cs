using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Classifies the errors of Redis and of its client.</summary>
internal static class RedisErrors
{
    /// <summary>True if a key holds a different type than the command needs.</summary>
    public static bool IsWrongType(Exception exception) =>
        exception is RedisServerException && exception.Message.Contains("WRONGTYPE", StringComparison.Ordinal);

    /// <summary>True if a consumer group or its stream does not exist. The read loop creates both again.</summary>
    public static bool IsGroupMissing(Exception exception) =>
        exception is RedisServerException && (exception.Message.Contains("NOGROUP", StringComparison.Ordinal)
            || exception.Message.Contains("no such key", StringComparison.Ordinal));

    /// <summary>True if the user may run the command, but has no right to a key.</summary>
    public static bool IsKeyDenied(Exception exception) =>
        IsDenied(exception) && exception.Message.Contains("to access", StringComparison.Ordinal);

    /// <summary>True if the user has no right to a command or to a key.</summary>
    public static bool IsDenied(Exception exception) =>
        exception is RedisServerException && exception.Message.Contains("NOPERM", StringComparison.Ordinal);

    /// <summary>
    /// True if Redis denies this user access (the login, a command or a key), so that a retry cannot help. Inner
    /// exceptions count too.
    /// </summary>
    public static bool IsRefusal(Exception? exception) => exception switch
    {
        null => false,
        RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure } => true,
        RedisServerException when exception.Message.Split(' ')[0] is "NOAUTH" or "WRONGPASS" or "NOPERM" => true,
        _ => IsRefusal(exception.InnerException),
    };

    /// <summary>
    /// True if a retry cannot help until the rights or the key change; the command had no effect. Other errors may be
    /// temporary: Redis is loading, busy, a replica, or short of memory.
    /// </summary>
    public static bool IsPermanent(Exception exception) =>
        IsWrongType(exception) || IsDenied(exception) || IsRefusal(exception)
            || (exception is RedisServerException
                && (exception.Message.StartsWith("ERR unknown command", StringComparison.Ordinal)
                    || exception.Message.Contains("too large", StringComparison.Ordinal)));

    /// <summary>
    /// True if a transaction was discarded because one of its commands was refused. The client does not report which
    /// one.
    /// </summary>
    public static bool IsDiscarded(Exception? exception) =>
        exception is RedisServerException && exception.Message.StartsWith("EXECABORT", StringComparison.Ordinal);

    /// <summary>
    /// True if the start (MULTI) or the end (EXEC) of a transaction was refused. Its commands may have been executed
    /// nevertheless.
    /// </summary>
    public static bool IsOfTransaction(Exception exception) =>
        exception is RedisServerException && (exception.Message.Contains("'exec'", StringComparison.OrdinalIgnoreCase)
            || exception.Message.Contains("'multi'", StringComparison.OrdinalIgnoreCase)
            || exception.Message.Contains("EXEC without MULTI", StringComparison.Ordinal));

    /// <summary>
    /// True if the error concerns one key: it has the wrong type, or the user has no right to it. The error lasts until
    /// the key or the right changes.
    /// </summary>
    public static bool IsOfKey(Exception exception) => IsWrongType(exception) || IsKeyDenied(exception);

    /// <summary>
    /// True if Redis is unreachable or does not answer. The read loop and the health check report this.
    /// </summary>
    public static bool IsOutage(Exception exception) =>
        exception is RedisConnectionException or TimeoutException or OperationCanceledException or ObjectDisposedException;

    /// <summary>
    /// Gets the outcome of a publish that ended with an error: failed or rejected only if the event was certainly not
    /// stored. Rejected means that a retry cannot help.
    /// </summary>
    public static PublishOutcome OutcomeOf(Exception exception)
    {
        if (!IsWithoutEffect(exception))
        {
            return PublishOutcome.InDoubt(exception);
        }

        return IsPermanent(exception) ? PublishOutcome.Rejected(exception) : PublishOutcome.Failed(exception);
    }

    /// <summary>True if the command certainly had no effect: Redis refused it, or it was not sent.</summary>
    public static bool IsWithoutEffect(Exception exception) => exception switch
    {
        // RedisCommandException: the client did not send the command, for instance because the server is a replica.
        RedisServerException or RedisCommandException => !IsOfTransaction(exception),
        RedisConnectionException { CommandStatus: CommandStatus.WaitingToBeSent or CommandStatus.WaitingInBacklog } => true,

        // The client's error for a whole batch when it had no connection.
        RedisConnectionException
        {
            FailureType: ConnectionFailureType.UnableToResolvePhysicalConnection,
            CommandStatus: CommandStatus.Unknown,
        } => true,
        _ => false,
    };
}
