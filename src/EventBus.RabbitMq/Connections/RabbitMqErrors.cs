using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Classifies errors of the broker. A refusal is an error that a retry cannot resolve: an operator must change
/// something.
/// </summary>
internal static class RabbitMqErrors
{
    private const int MaxCauseLength = 300;

    /// <summary>True for a refusal, by its reply code.</summary>
    /// <remarks>
    /// The reply codes of AMQP 0-9-1: 403 access refused, 405 resource locked, 406 precondition failed, 530 not allowed
    /// (for instance, no such virtual host).
    /// </remarks>
    public static bool IsRefusal(OperationInterruptedException exception) =>
        exception.ShutdownReason?.ReplyCode is 403 or 405 or 406 or 530;

    /// <summary>True for a refusal, and for a missing entity if the bus may not create it.</summary>
    public static bool IsRefusal(OperationInterruptedException exception, RabbitMqOptions options) =>
        IsRefusal(exception) || (options.Provisioning != RabbitMqProvisioning.Create && exception.ShutdownReason?.ReplyCode == 404);

    /// <summary>
    /// True if the broker closed the channel because of a published message. The broker does not identify the message:
    /// it is one of those that it has not answered.
    /// </summary>
    /// <remarks>The class 60 and the method 40 of AMQP 0-9-1 are <c>basic.publish</c>.</remarks>
    public static bool IsOfPublish(Exception cause) =>
        cause is OperationInterruptedException { ShutdownReason: { Initiator: ShutdownInitiator.Peer, ClassId: 60, MethodId: 40 } };

    /// <summary>
    /// True if the error concerns the exchange. False if it concerns a single event, such as its size or a topic
    /// permission.
    /// </summary>
    public static bool IsOfExchange(Exception cause) =>
        cause is OperationInterruptedException { ShutdownReason: { ReplyCode: 403 or 404 } reason }
            && !reason.ReplyText.Contains("access to topic '", StringComparison.Ordinal);

    /// <summary>
    /// True if the broker closed only the channel, because of an error that concerns an exchange or a queue.
    /// </summary>
    public static bool IsChannelError(OperationInterruptedException exception) =>
        exception.ShutdownReason is { Initiator: ShutdownInitiator.Peer, ReplyCode: 403 or 404 or 405 or 406 };

    /// <summary>True if an exchange or a queue is missing.</summary>
    public static bool IsMissing(Exception cause) => cause is OperationInterruptedException { ShutdownReason.ReplyCode: 404 };

    /// <summary>True if the error or an inner error is a refusal or a failed authentication.</summary>
    public static bool IsRefusal(Exception? error) => error switch
    {
        null => false,
        AuthenticationFailureException or PossibleAuthenticationFailureException => true,
        OperationInterruptedException interrupted => IsRefusal(interrupted),
        AggregateException several => several.InnerExceptions.Any(IsRefusal),
        _ => IsRefusal(error.InnerException),
    };

    /// <summary>True if the client closed the connection because it could not read the received data.</summary>
    public static bool IsUnreadable(Exception? error) => error is ProtocolException or { InnerException: ProtocolException };

    /// <summary>True if a call failed: the broker refused it, did not answer in time, or was not connected.</summary>
    public static bool IsCallFailure(Exception exception) =>
        exception is TimeoutException or InvalidOperationException or AlreadyClosedException or OperationInterruptedException;

    /// <summary>
    /// Gets the underlying cause of an error as a sentence; null for no error. The client wraps the cause in an error
    /// that reports only that no endpoint could be reached.
    /// </summary>
    public static string? CauseOf(Exception? error) => error switch
    {
        null => null,
        OperationInterruptedException { ShutdownReason: { } reason } => $"{reason.ReplyCode} {reason.ReplyText.TrimEnd('.')}.",
        BrokerUnreachableException or ConnectFailureException or AggregateException or { Message: "" }
            when error.InnerException is { } inner => CauseOf(inner),
        _ => $"{FirstLine(error.Message).TrimEnd('.')}.",
    };

    private static string FirstLine(string text)
    {
        var line = text.Split('\r', '\n')[0];
        return line.Length > MaxCauseLength ? line[..MaxCauseLength] : line;
    }

    /// <summary>Creates the exception for an exchange or a queue that the broker refuses.</summary>
    /// <param name="entity">The exchange or queue, for instance <c>the queue 'a'</c>.</param>
    /// <param name="exception">The error of the broker.</param>
    public static EventBusException Refused(string entity, OperationInterruptedException exception) => new(
        $"RabbitMQ refused {entity}: {CauseOf(exception)} If it is missing, create it; if it exists with other arguments, empty and "
            + "delete it, or choose another name; if access was refused, give the user configure, write and read permissions.",
        exception);
}
