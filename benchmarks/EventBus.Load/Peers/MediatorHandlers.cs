using Mediator;

namespace EventBus.Load;

/// <summary>The event with Mediator's marker interface. A struct, so that it allocates nothing.</summary>
public readonly record struct PlacedForOne(OrderPlaced Order) : INotification;

/// <summary>The same for five handlers: Mediator finds the handlers of a type at compile time.</summary>
public readonly record struct PlacedForFive(OrderPlaced Order) : INotification;

/// <summary>The work of each handler.</summary>
internal abstract class MediatorHandler(Contender contender) : INotificationHandler<PlacedForFive>
{
    public ValueTask Handle(PlacedForFive notification, CancellationToken cancellationToken)
    {
        contender.Handle(notification.Order);
        return ValueTask.CompletedTask;
    }
}

internal sealed class MediatorHandlerOfOne(Contender contender) : INotificationHandler<PlacedForOne>
{
    public ValueTask Handle(PlacedForOne notification, CancellationToken cancellationToken)
    {
        contender.Handle(notification.Order);
        return ValueTask.CompletedTask;
    }
}

internal sealed class MediatorHandler0(Contender contender) : MediatorHandler(contender);

internal sealed class MediatorHandler1(Contender contender) : MediatorHandler(contender);

internal sealed class MediatorHandler2(Contender contender) : MediatorHandler(contender);

internal sealed class MediatorHandler3(Contender contender) : MediatorHandler(contender);

internal sealed class MediatorHandler4(Contender contender) : MediatorHandler(contender);
