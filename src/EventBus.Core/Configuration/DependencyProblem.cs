namespace EventBus;

/// <summary>A reason why the container cannot create a type, or must not.</summary>
/// <param name="Kind">The kind of the reason.</param>
/// <param name="Owner">The type whose constructor is meant.</param>
/// <param name="Dependency">The type of the parameter; the owner itself if it has no public constructor.</param>
/// <param name="Key">The key with which the parameter asks for its service; null for none.</param>
internal sealed record DependencyProblem(DependencyProblemKind Kind, Type Owner, Type Dependency, object? Key = null);
