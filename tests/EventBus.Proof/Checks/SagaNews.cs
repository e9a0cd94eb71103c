namespace EventBus.Proof;

/// <summary>The events of a saga that were found on the backend.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Name">The event's name.</param>
/// <param name="Saga">The saga's number.</param>
/// <param name="Steps">The steps that it names.</param>
internal sealed record SagaNews(string Id, string Name, long Saga, IReadOnlyList<string> Steps);
