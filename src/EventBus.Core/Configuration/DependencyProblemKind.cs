namespace EventBus;

/// <summary>Says why the container cannot create a type, or must not.</summary>
internal enum DependencyProblemKind
{
    /// <summary>A parameter of the constructor is not registered.</summary>
    Missing,

    /// <summary>The type has no public constructor.</summary>
    NoConstructor,

    /// <summary>The type is a singleton, or belongs to one, and a parameter of its constructor is scoped.</summary>
    ScopedInSingleton,
}
