namespace EventBus;

/// <summary>Describes data of a type that are lost between writing and reading its JSON, for the warning.</summary>
/// <param name="Type">The type.</param>
/// <param name="Use">The event or the state of a saga that contains it.</param>
/// <param name="Members">The members, each with the reason and the correction.</param>
internal sealed record LostJsonData(Type Type, string Use, string Members);
