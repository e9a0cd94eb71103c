using System.Collections;
using System.ComponentModel.DataAnnotations;

namespace EventBus;

/// <summary>Declares how many entries a list of an option may have. Null is allowed.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AllowedCountAttribute(int min, int max) : ValidationAttribute
{
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext)
    {
        if (value is not ICollection list || (list.Count >= min && list.Count <= max))
        {
            return null;
        }

        return new ValidationResult($"{validationContext.DisplayName} has {list.Count} entries; {min} to {max} are allowed.");
    }
}
