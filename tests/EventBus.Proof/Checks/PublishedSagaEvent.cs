namespace EventBus.Proof;

/// <summary>An event of a saga that was found on the backend.</summary>
/// <param name="Id">The id of the event.</param>
/// <param name="Name">The name of the event.</param>
/// <param name="Saga">The number of the saga.</param>
/// <param name="Steps">The steps that the event names.</param>
internal sealed record PublishedSagaEvent(string Id, string Name, long Saga, IReadOnlyList<string> Steps);
