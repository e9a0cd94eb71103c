using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>What the broker answers when trying again cannot help: people must change something.</summary>
internal static class RabbitMqErrors
{
    // Of AMQP 0-9-1: access refused, resource locked, precondition failed, not allowed (there is no such virtual host).
    public static bool IsRefusal(OperationInterruptedException exception) => exception.ShutdownReason?.ReplyCode is 403 or 405 or 406 or 530;

    /// <summary>The same; and that something is missing, where the bus is not to create it.</summary>
    public static bool IsRefusal(OperationInterruptedException exception, RabbitMqOptions options) =>
        IsRefusal(exception) || (options.Provisioning != RabbitMqProvisioning.Create && exception.ShutdownReason?.ReplyCode == 404);

    /// <summary>The broker closed the channel because of something that was published. It says not what: one of those that it has not answered.</summary>
    public static bool IsOfPublish(Exception cause) =>
        cause is OperationInterruptedException { ShutdownReason: { Initiator: ShutdownInitiator.Peer, ClassId: 60, MethodId: 40 } };

    /// <summary>It concerns the exchange, and not one event alone, as its size or a topic permission does.</summary>
    public static bool IsOfExchange(Exception cause) =>
        cause is OperationInterruptedException { ShutdownReason: { ReplyCode: 403 or 404 } reason } && !reason.ReplyText.Contains("access to topic '", StringComparison.Ordinal);

    /// <summary>The broker answered with an error; the connection was not lost.</summary>
    public static bool IsAnswer(OperationInterruptedException exception) => exception.ShutdownReason is { Initiator: ShutdownInitiator.Peer, ReplyCode: 403 or 404 or 405 or 406 };

    /// <summary>An exchange or a queue is missing.</summary>
    public static bool IsMissing(Exception cause) => cause is OperationInterruptedException { ShutdownReason.ReplyCode: 404 };

    /// <summary>The broker does not let this user in.</summary>
    public static bool IsRefusal(Exception? error) => error switch
    {
        null => false,
        AuthenticationFailureException or PossibleAuthenticationFailureException => true,
        OperationInterruptedException interrupted => IsRefusal(interrupted),
        AggregateException several => several.InnerExceptions.Any(IsRefusal),
        _ => IsRefusal(error.InnerException),
    };

    /// <summary>The client closed the connection, because it could not read what came.</summary>
    public static bool IsUnreadable(Exception? error) => error is ProtocolException or { InnerException: ProtocolException };

    /// <summary>What is behind an error, as a sentence: the client wraps it, and says only that no endpoint could be reached.</summary>
    public static string? CauseOf(Exception? error) => error switch
    {
        null => null,
        OperationInterruptedException { ShutdownReason: { } reason } => $"{reason.ReplyCode} {reason.ReplyText.TrimEnd('.')}.",
        BrokerUnreachableException or AggregateException or { Message: "" } when error.InnerException is { } inner => CauseOf(inner),
        _ => error.Message.EndsWith('.') ? error.Message : error.Message + ".",
    };

    public static EventBusException Of(string what, OperationInterruptedException exception) => new(
        $"RabbitMQ refused {what}: {exception.ShutdownReason!.ReplyText} If it is missing, create it; if it exists with other arguments, empty and delete it, or choose another name; if access was refused, give the user configure, write and read permissions.", exception);
}
