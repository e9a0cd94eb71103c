using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages about handlers and sagas that publish through the bus itself.</summary>
/// <remarks>Log messages contain names and ids only: never a body, a header or a connection string.</remarks>
internal static partial class DirectPublishLog
{
    [LoggerMessage(
        86,
        LogLevel.Warning,
        "The constructor of {Handler} takes the IEventBus on which {Subscription} is subscribed. What the handler publishes with it leaves "
            + "at once: also if the handler fails afterwards, and again at each retry. Use context.PublishAsync instead, which publishes "
            + "only after the handler has succeeded. If it is meant, say so: s => s.PublishesDirectly()")]
    public static partial void HandlerPublishesDirectly(this ILogger log, string handler, string subscription);

    [LoggerMessage(
        87,
        LogLevel.Warning,
        "The constructor of {SagaType} takes the IEventBus to which the saga {Saga} belongs. What a step publishes with it leaves at once: "
            + "also if the step fails afterwards, and again at each retry. Use context.PublishAsync instead, which publishes only after "
            + "the step has succeeded. If it is meant, say so in Define: saga.PublishesDirectly()")]
    public static partial void SagaPublishesDirectly(this ILogger log, string sagaType, string saga);
}
