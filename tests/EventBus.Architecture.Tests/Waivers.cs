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
        (Token, "Delivery.AckAsync", "The transport limits the time of a settlement: a cancelled one would leave the event in doubt."),
        (Token, "Delivery.ReleaseAsync", "As for AckAsync."),
        (Token, "IDeliverySettler.AckAsync", "As for Delivery.AckAsync."),
        (Token, "IDeliverySettler.ReleaseAsync", "As for Delivery.AckAsync."),
        (Token, "Receiver.StopIntakeAsync", "A part of closing, whose time the transport limits."),
        (Token, "BusStores.CloseAsync", "A part of closing, whose time the bus limits."),
        (Token, "Receiver.DisposeAsync", "IAsyncDisposable has no token."),
        (Token, "Transport.DisposeAsync", "IAsyncDisposable has no token."),
        (Context, "BackendTasks.SwitchToThreadPool", "A loop starts on the thread pool, whatever context the host started in."),
        (Blocking, "CircuitBreakerStep.InvokeAsync", "Reads the result of a task that has completed successfully."),
        (Blocking, "DeliveryProcessor.HandleAsync", "As for CircuitBreakerStep.InvokeAsync."),
        (Blocking, "UnackedRecords.Wait", "Blocks the poll thread of a receiver on Kafka, which is its own and runs no other code."),
        (Blocking, "PartitionPeriods.End", "As for UnackedRecords.Wait: the group waits for the return of this method."),
        (Blocking, "OffsetWriter.TryFinish", "As for UnackedRecords.Wait."),
        (Sealed, "EventBusException", "The base class of the exceptions of the bus, which is also thrown itself."),
        (Sealed, "SubscriptionWorker", "The ordered worker derives from it, and handles its deliveries by key."),
        (Sealed, "ParcelLost", "An event of the scenarios from which another event derives."),
        (ExceptionTexts, "PublishManyException: first.Message",
            "The bus wrote the text of a PublishException; and this type stands above Diagnostics, where ExceptionText is."),
        (Statics, "ScenarioRunner.runs", "Counts the runs of the process, so that each uses unique names on a broker."),
        (Nested, "RedeliveryLock.Turn", "A handle that only the lock creates."),
        (Nested, "SagaWaiters.Waiter", "As for RedeliveryLock.Turn."),
        (Nested, "RedisPubSubPublishCounter.PublishCall", "As for RedeliveryLock.Turn."),
        (Nested, "EntryRequests.Request", "As for RedeliveryLock.Turn."),
        (Nested, "QueueConsumerState.Counters", "Fields that need a separate cache line."),
    ];
}
