namespace EventBus.Architecture.Tests;

/// <summary>Lists the exceptions from rules, each with its reason.</summary>
internal static class Waivers
{
    private const string Token = nameof(AsyncTests.Methods_ThatArePublicAndAwaitable_TakeAToken);
    private const string Context = nameof(AsyncTests.Code_Awaiting_StaysInItsContext);
    private const string Blocking = nameof(AsyncTests.Code_WaitingForATask_DoesNotBlock);
    private const string ExceptionTexts = nameof(ExceptionTests.Texts_OfExceptions_AreReadByOneClass);
    private const string Statics = nameof(StateTests.Statics_OfALibrary_AreImmutable);
    private const string Sealed = nameof(TypeTests.Classes_OfALibrary_AreSealedAbstractOrStatic);
    private const string Nested = nameof(FormatTests.Types_NestedInATypeOfALibrary_ArePrivate);

    public static (string Rule, string Name, string Reason)[] All { get; } =
    [
        (Token, "Delivery.AckAsync", "Settling is the transport's to bound: a caller that gave up would leave the event in doubt."),
        (Token, "Delivery.ReleaseAsync", "As for AckAsync."),
        (Token, "IDeliverySettler.AckAsync", "As for Delivery.AckAsync."),
        (Token, "IDeliverySettler.ReleaseAsync", "As for Delivery.AckAsync."),
        (Token, "Receiver.StopIntakeAsync", "Part of closing, which the transport bounds itself."),
        (Token, "BusStores.CloseAsync", "Part of closing, which the bus bounds."),
        (Token, "Receiver.DisposeAsync", "IAsyncDisposable has no token."),
        (Token, "Transport.DisposeAsync", "IAsyncDisposable has no token."),
        (Context, "BackendTasks.SwitchToThreadPool", "A loop starts on the thread pool, whatever context the host started in."),
        (Blocking, "CircuitBreakerStep.InvokeAsync", "Reads the result of a task that has completed successfully."),
        (Blocking, "DeliveryProcessor.HandleAsync", "As for CircuitBreakerStep.InvokeAsync."),
        (Sealed, "EventBusException", "The base of the exceptions of the bus, and thrown itself where no kind of its own is needed."),
        (Sealed, "SubscriptionWorker", "The ordered worker handles its deliveries by key, and is the same worker otherwise."),
        (Sealed, "ParcelLost", "An event of the scenarios, which test that a subscription to it does not get the derived event."),
        (ExceptionTexts, "PublishManyException: items.First(item => item is not null)!.Message",
            "The bus wrote the text of a PublishException; and this type stands above Diagnostics, where ExceptionText is."),
        (Statics, "ScenarioRun.runs", "Counts the runs of the process, so that no two of them use the same names on a broker."),
        (Nested, "RedeliveryLock.Turn", "The handle that the lock returns, and that nothing else creates."),
        (Nested, "SagaWaiters.Waiter", "As for RedeliveryLock.Turn."),
        (Nested, "RedisPubSubPublishCounter.Entered", "As for RedeliveryLock.Turn."),
        (Nested, "EntryRequests.Request", "As for RedeliveryLock.Turn."),
        (Nested, "QueueConsumerState.Counters", "The fields that lie on a cache line of their own."),
        (Nested, "SqlClock.Anchors", "The stored form of the clock."),
    ];
}
